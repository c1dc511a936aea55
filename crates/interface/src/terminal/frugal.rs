//! Reduces the bytes of frames, for slow lines.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

/// The least run of blanks that is erased instead of written: erasing takes about this many bytes.
const BLANKS: u16 = 9;

/// Rewrites crossterm's output without what the terminal already has: a colour that is set, a colour of blanks, the
/// cursor's present position; and it erases long runs of blanks.
#[derive(Debug, Default)]
pub struct Frugal {
    /// The attributes set at the terminal.
    shown: Look,
    /// The attributes for the next character.
    wanted: Look,
    /// Column and row of the cursor, from 1 on, if known.
    cursor: Option<(u16, u16)>,
    /// The position of the next character.
    target: Option<(u16, u16)>,
    /// Pending blanks.
    blanks: u16,
    /// The rewritten frame.
    out: String,
}

/// Colours and attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Look {
    /// Parameters of the text colour; empty for the terminal's default.
    front: String,
    /// As `front`, for the background.
    back: String,
    /// Bold, dim, italic, underlined, reversed.
    marks: [bool; 5],
}

/// Parameters that set each of the attributes, and those that reset it; the latter reset bold and dim together.
const MARKS: [(u16, u16); 5] = [(1, 22), (2, 22), (3, 23), (4, 24), (7, 27)];

impl Look {
    /// Whether a blank shows only its background.
    fn hides(&self) -> bool {
        !self.marks[3] && !self.marks[4]
    }

    /// Applies the parameters of a sequence; returns whether all of them were understood.
    fn apply(&mut self, parameters: &str) -> bool {
        let mut rest = parameters.split(';');
        while let Some(parameter) = rest.next() {
            let Ok(number) = (if parameter.is_empty() { Ok(0) } else { parameter.parse::<u16>() }) else {
                return false;
            };
            match number {
                0 => *self = Self::default(),
                30..=37 | 90..=97 => self.front = number.to_string(),
                40..=47 | 100..=107 => self.back = number.to_string(),
                39 => self.front.clear(),
                49 => self.back.clear(),
                38 | 48 => {
                    let Some(colour) = colour(number, &mut rest) else { return false };
                    *(if number == 38 { &mut self.front } else { &mut self.back }) = colour;
                }
                // Underline colours are never set.
                59 => {}
                _ => {
                    let mut known = false;
                    for (mark, (set, unset)) in self.marks.iter_mut().zip(MARKS) {
                        known |= number == set || number == unset;
                        *mark = (*mark || number == set) && number != unset;
                    }
                    if !known {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// The parameters that turn another look into this one.
    fn after(&self, before: &Self) -> Vec<String> {
        let mut parameters = Vec::new();
        let mut marks = before.marks;
        for ((now, was), (_, unset)) in self.marks.iter().zip(before.marks).zip(MARKS) {
            if was && !now && !parameters.contains(&unset.to_string()) {
                parameters.push(unset.to_string());
                for (mark, _) in marks.iter_mut().zip(MARKS).filter(|(_, mark)| mark.1 == unset) {
                    *mark = false;
                }
            }
        }
        let plain = Self { marks, ..before.clone() };
        for ((now, was), (set, _)) in self.marks.iter().zip(plain.marks).zip(MARKS) {
            if *now && !was {
                parameters.push(set.to_string());
            }
        }
        for (now, was, own) in [(&self.front, &plain.front, "39"), (&self.back, &plain.back, "49")] {
            if now != was {
                parameters.push(if now.is_empty() { own.into() } else { now.clone() });
            }
        }
        parameters
    }
}

/// The shortest parameters of a colour.
fn colour<'a>(of: u16, rest: &mut impl Iterator<Item = &'a str>) -> Option<String> {
    match rest.next()? {
        "5" => {
            let index: u16 = rest.next()?.parse().ok()?;
            Some(match index {
                0..=7 => (of - 8 + index).to_string(),
                8..=15 => (of + 52 + index - 8).to_string(),
                _ => format!("{of};5;{index}"),
            })
        }
        "2" => Some(format!("{of};2;{};{};{}", rest.next()?, rest.next()?, rest.next()?)),
        _ => None,
    }
}

impl Frugal {
    /// The frame in fewer bytes. Unknown sequences are kept, and then nothing is assumed of the terminal.
    pub fn shorten(&mut self, frame: &[u8]) -> Vec<u8> {
        let Ok(mut text) = std::str::from_utf8(frame) else { return self.give_up(frame) };
        while let Some(c) = text.chars().next() {
            if let Some((sequence, parameters, end)) = control(text) {
                self.control(sequence, parameters, end);
                text = &text[sequence.len()..];
                continue;
            }
            text = &text[c.len_utf8()..];
            if c == '\u{1b}' || c.is_control() {
                self.flush();
                self.out.push(c);
                self.forget();
            } else {
                self.letter(c);
            }
        }
        // Output after the frame must find the terminal as usual; the position of a hidden cursor does not matter.
        self.blank();
        self.look(self.wanted.clone());
        std::mem::take(&mut self.out).into_bytes()
    }

    fn give_up(&mut self, frame: &[u8]) -> Vec<u8> {
        self.flush();
        self.forget();
        let mut bytes = std::mem::take(&mut self.out).into_bytes();
        bytes.extend_from_slice(frame);
        bytes
    }

    /// Forgets the terminal's state.
    fn forget(&mut self) {
        (self.cursor, self.target) = (None, None);
    }

    fn control(&mut self, sequence: &str, parameters: &str, end: char) {
        match end {
            'm' => {
                if !self.blanks_go_on(parameters) {
                    self.blank();
                }
                if !self.wanted.apply(parameters) {
                    self.flush();
                    self.out.push_str(sequence);
                }
            }
            'H' => {
                let numbers = parameters
                    .split_once(';')
                    .and_then(|(row, column)| Some((column.parse::<u16>().ok()?, row.parse::<u16>().ok()?)));
                match numbers {
                    Some(place) if self.blanks == 0 || self.place() != Some(place) => {
                        self.blank();
                        self.target = Some(place);
                    }
                    Some(_) => {}
                    None => self.other(sequence),
                }
            }
            _ => self.other(sequence),
        }
    }

    fn other(&mut self, sequence: &str) {
        self.flush();
        // After a clear, the screen may have contained anything.
        if sequence.ends_with('J') {
            self.out.push_str("\x1b[m");
            self.shown = Look::default();
            self.look(self.wanted.clone());
        }
        self.out.push_str(sequence);
        self.forget();
    }

    /// Whether blanks after these parameters look like those before.
    fn blanks_go_on(&self, parameters: &str) -> bool {
        let mut wanted = self.wanted.clone();
        wanted.apply(parameters) && wanted.back == self.wanted.back && wanted.hides() && self.wanted.hides()
    }

    /// The position of the next character.
    fn place(&self) -> Option<(u16, u16)> {
        let (column, row) = self.target.or(self.cursor)?;
        Some((column + self.blanks, row))
    }

    fn letter(&mut self, c: char) {
        if c == ' ' && self.wanted.hides() {
            self.blanks += 1;
            return;
        }
        self.blank();
        self.go();
        self.look(self.wanted.clone());
        self.out.push(c);
        let width = u16::try_from(c.width().unwrap_or(0)).unwrap_or(0);
        // Terminals disagree about characters wider or narrower than a cell.
        self.cursor = self.cursor.filter(|_| width == 1).map(|(column, row)| (column + 1, row));
    }

    /// Writes the pending blanks.
    fn blank(&mut self) {
        let blanks = std::mem::take(&mut self.blanks);
        if blanks == 0 {
            return;
        }
        self.go();
        let look = Look { back: self.wanted.back.clone(), ..self.shown.clone() };
        let look = if look.hides() { look } else { Look { marks: self.wanted.marks, ..look } };
        self.look(look);
        // At the end of a row the cursor stays after erasing, and moves after writing.
        if blanks >= BLANKS && self.cursor.is_some() && self.wanted.back.is_empty() {
            let _ = write!(self.out, "\x1b[{blanks}X");
            self.target = self.cursor.map(|(column, row)| (column + blanks, row));
        } else {
            self.out.extend(std::iter::repeat_n(' ', usize::from(blanks)));
            self.cursor = self.cursor.map(|(column, row)| (column + blanks, row));
        }
    }

    /// Moves the cursor to its target.
    fn go(&mut self) {
        let Some(target) = self.target.take() else { return };
        match self.cursor {
            Some(cursor) if cursor == target => return,
            Some((column, row)) if row == target.1 && column < target.0 => match target.0 - column {
                1 => self.out.push_str("\x1b[C"),
                by => {
                    let _ = write!(self.out, "\x1b[{by}C");
                }
            },
            _ => {
                let _ = write!(self.out, "\x1b[{};{}H", target.1, target.0);
            }
        }
        self.cursor = Some(target);
    }

    fn look(&mut self, look: Look) {
        let parameters = look.after(&self.shown);
        if !parameters.is_empty() {
            let _ = write!(self.out, "\x1b[{}m", parameters.join(";"));
            self.shown = look;
        }
    }

    fn flush(&mut self) {
        self.blank();
        self.go();
        self.look(self.wanted.clone());
    }
}

/// The control sequence at the beginning of a text: the whole sequence, its parameters, and its final letter.
fn control(text: &str) -> Option<(&str, &str, char)> {
    let rest = text.strip_prefix("\x1b[")?;
    let length = rest.find(|c: char| ('\u{40}'..='\u{7e}').contains(&c))?;
    let end = rest[length..].chars().next()?;
    Some((&text[..length + 3], &rest[..length], end))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::Write;
    use std::rc::Rc;

    use proptest::prelude::*;
    use ratatui::Terminal;
    use ratatui::backend::CrosstermBackend;
    use ratatui::layout::Rect;
    use ratatui::style::{Color, Modifier, Style};
    use ratatui::{TerminalOptions, Viewport};

    use super::*;

    const SIZE: (u16, u16) = (40, 6);

    #[derive(Clone, Default)]
    struct Written(Rc<RefCell<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn style() -> impl Strategy<Value = Style> {
        let colour = || {
            prop_oneof![
                4 => Just(Color::Reset),
                2 => (0u8..20).prop_map(Color::Indexed),
                1 => Just(Color::Rgb(1, 22, 233)),
                1 => Just(Color::LightRed),
            ]
        };
        let marks = prop::sample::select(vec![
            Modifier::empty(),
            Modifier::empty(),
            Modifier::BOLD,
            Modifier::DIM,
            Modifier::BOLD | Modifier::ITALIC,
            Modifier::REVERSED,
            Modifier::UNDERLINED,
            Modifier::ITALIC,
        ]);
        (colour(), colour(), marks).prop_map(|(front, back, marks)| Style::new().fg(front).bg(back).add_modifier(marks))
    }

    fn words() -> impl Strategy<Value = Vec<(u16, u16, String, Style)>> {
        let text = prop_oneof![3 => "[ ]{1,40}", 3 => "[a-c ]{1,30}", 1 => "[─│⠢漢 ]{1,20}"];
        prop::collection::vec((0..SIZE.0, 0..SIZE.1, text, style()), 0..12)
    }

    fn screen(parser: &vt100::Parser) -> Vec<String> {
        let screen = parser.screen();
        let places = (0..SIZE.1).flat_map(|row| (0..SIZE.0).map(move |column| (row, column)));
        let cell = |(row, column)| {
            let cell = screen.cell(row, column).expect("a cell");
            let blank = cell.contents().trim().is_empty() && !cell.is_wide_continuation();
            // In this terminal emulator, the last of bold and dim wins.
            let seen = !blank || cell.inverse() || cell.underline();
            let front = if seen {
                format!("{:?} {} {}", cell.fgcolor(), cell.bold() || cell.dim(), cell.italic())
            } else {
                String::new()
            };
            format!("{} {front} {:?} {} {}", cell.contents().trim(), cell.bgcolor(), cell.inverse(), cell.underline())
        };
        places.map(cell).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_screen_is_the_same_in_fewer_bytes(frames in prop::collection::vec(words(), 1..5)) {
            let written = Written::default();
            let options = TerminalOptions { viewport: Viewport::Fixed(Rect::new(0, 0, SIZE.0, SIZE.1)) };
            let mut terminal = Terminal::with_options(CrosstermBackend::new(written.clone()), options).expect("a terminal");
            let mut pieces = Vec::new();
            for words in frames {
                terminal.draw(|frame| {
                    frame.buffer_mut().set_style(Rect::new(0, 0, SIZE.0, SIZE.1), Style::new().fg(Color::Indexed(7)));
                    for (x, y, text, style) in &words {
                        frame.buffer_mut().set_string(*x, *y, text, *style);
                    }
                }).expect("drawn");
                pieces.push(std::mem::take(&mut *written.0.borrow_mut()));
            }
            let (mut plain, mut short) = (vt100::Parser::new(SIZE.1, SIZE.0, 0), vt100::Parser::new(SIZE.1, SIZE.0, 0));
            let mut frugal = Frugal::default();
            for piece in pieces {
                let shortened = frugal.shorten(&piece);
                prop_assert!(shortened.len() <= piece.len() + 8, "{} from {}", shortened.len(), piece.len());
                plain.process(&piece);
                short.process(&shortened);
                prop_assert_eq!(screen(&plain), screen(&short), "{:?} from {:?}", String::from_utf8_lossy(&shortened), String::from_utf8_lossy(&piece));
            }
        }
    }

    #[test]
    fn known_terminal_state_is_not_sent_again() {
        let mut frugal = Frugal::default();
        let frame = b"\x1b[3;5H\x1b[38;5;7;49mab\x1b[3;9H\x1b[38;5;7;49mc            d\x1b[39m\x1b[49m\x1b[59m\x1b[0m";
        assert_eq!(frugal.shorten(frame), b"\x1b[3;5H\x1b[37mab\x1b[2Cc\x1b[12X\x1b[12Cd\x1b[39m");
        assert_eq!(frugal.shorten(b"\x1b[3;23H\x1b[39;49mx"), b"x");
        assert_eq!(frugal.shorten(b"\x1b[?25l"), b"\x1b[?25l");
    }
}
