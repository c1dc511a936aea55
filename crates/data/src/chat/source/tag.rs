//! A tag of a template: its tokens, and its rewriting.

use super::super::python::{JOINED, LOOPED, SLICED, TUPLE};

/// The deepest nesting of brackets; the template library rejects deeper ones.
const DEEPEST: usize = 150;

/// A tag, including its delimiters.
pub struct Tag<'a> {
    /// The whole tag.
    pub whole: &'a str,
    tokens: Vec<Token<'a>>,
    statement: bool,
}

#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    kind: Kind,
    text: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Space,
    Word,
    Number,
    Text,
    Open,
    Close,
    Sign,
    /// Brackets with their content.
    Group,
}

/// A part of an expression.
#[derive(Debug, Clone)]
struct Item {
    kind: Kind,
    text: String,
}

impl<'a> Tag<'a> {
    /// The tag at the beginning of this text, and the rest; none if it does not end.
    pub fn read(text: &'a str, end: &str) -> Option<(Self, &'a str)> {
        let mut tokens = vec![Token { kind: Kind::Sign, text: &text[..2] }];
        let (mut at, mut depth) = (2, 0_usize);
        if text[at..].starts_with(['-', '+']) {
            tokens.push(Token { kind: Kind::Sign, text: &text[at..=at] });
            at += 1;
        }
        let closing = [format!("-{end}"), format!("+{end}"), end.to_owned()];
        loop {
            let rest = &text[at..];
            if let (0, Some(closing)) = (depth, closing.iter().find(|closing| rest.starts_with(closing.as_str()))) {
                let end = at + closing.len();
                tokens.push(Token { kind: Kind::Sign, text: &text[at..end] });
                let tag = Self { whole: &text[..end], tokens, statement: text.starts_with("{%") };
                return Some((tag, &text[end..]));
            }
            let token = next(rest)?;
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            at += token.text.len();
            tokens.push(token);
        }
    }

    /// The keyword of a statement.
    pub fn keyword(&self) -> Option<&'a str> {
        let first = self.tokens.iter().skip(1).find(|token| !matches!(token.kind, Kind::Space | Kind::Sign))?;
        (self.statement && first.kind == Kind::Word).then_some(first.text)
    }

    /// The tag for the template library.
    pub fn rewritten(&self) -> String {
        let Some((last, tokens)) = self.tokens.split_last() else { return String::new() };
        let Some(items) = grouped(tokens, self.keyword()) else { return self.whole.to_owned() };
        let start = match self.keyword() {
            Some(_) => 1 + items.iter().position(|item| item.kind == Kind::Word).unwrap_or(0),
            // The opening delimiter and its sign.
            None => items.iter().position(|item| item.kind != Kind::Sign).unwrap_or(items.len()),
        };
        let (opening, expression) = items.split_at(start);
        let looped = if self.keyword() == Some("for") { looped(expression) } else { None };
        written(opening) + &looped.unwrap_or_else(|| joined(expression)) + last.text
    }
}

/// The next token; none in an unterminated text.
fn next(text: &str) -> Option<Token<'_>> {
    let first = text.chars().next()?;
    let until = |goes_on: fn(char) -> bool| text.find(|character| !goes_on(character)).unwrap_or(text.len());
    let (kind, length) = match first {
        ' ' | '\t' | '\n' | '\x0b' | '\x0c' => (Kind::Space, until(|c| c.is_ascii_whitespace() || c == '\x0b')),
        '\'' | '"' => (Kind::Text, text_length(text, first)?),
        '(' | '[' | '{' => (Kind::Open, 1),
        ')' | ']' | '}' => (Kind::Close, 1),
        '0'..='9' => (Kind::Number, number_length(text)),
        _ if first.is_alphabetic() || first == '_' => (Kind::Word, until(|c| c.is_alphanumeric() || c == '_')),
        _ => {
            let two = ["==", "!=", "<=", ">=", "//", "**"].iter().any(|sign| text.starts_with(sign));
            (Kind::Sign, if two { 2 } else { first.len_utf8() })
        }
    };
    Some(Token { kind, text: &text[..length] })
}

fn text_length(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn number_length(text: &str) -> usize {
    let digits = |text: &str| text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    let whole = digits(text);
    match text[whole..].strip_prefix('.') {
        Some(fraction) if fraction.starts_with(|c: char| c.is_ascii_digit()) => whole + 1 + digits(fraction),
        _ => whole,
    }
}

/// Items with each pair of brackets as one, its content rewritten; none if brackets do not match or are nested too
/// deep.
fn grouped(tokens: &[Token<'_>], keyword: Option<&str>) -> Option<Vec<Item>> {
    let mut frames: Vec<(Vec<Item>, &str)> = vec![(Vec::new(), "")];
    for token in tokens {
        match token.kind {
            Kind::Open if frames.len() > DEEPEST => return None,
            Kind::Open => frames.push((Vec::new(), token.text)),
            Kind::Close => {
                let (items, open) = frames.pop()?;
                // Assigned names are in the outermost brackets.
                let keyword = keyword.filter(|_| frames.len() == 1);
                let outer = &mut frames.last_mut()?.0;
                let slice = open == "[" && items.iter().any(|item| item.is_sign(":"));
                let inner = joined(&items);
                let text = match taken(outer, slice) {
                    Some(value) => sliced(&value, &items),
                    None if open == "(" && is_tuple(&items, outer, keyword) => format!("([{inner}]|{TUPLE})"),
                    None => format!("{open}{inner}{}", token.text),
                };
                outer.push(Item { kind: Kind::Group, text });
            }
            Kind::Text => push_text(&mut frames.last_mut()?.0, token.text),
            kind => frames.last_mut()?.0.push(Item { kind, text: token.text.to_owned() }),
        }
    }
    match (frames.pop(), frames.is_empty()) {
        (Some((items, _)), true) => Some(items),
        _ => None,
    }
}

/// Removes from the end of these items the value that following brackets apply to: a name, a text or brackets, with
/// preceding dots and subscripts. None if no slice is wanted, or if the brackets are a list of their own.
fn taken(items: &mut Vec<Item>, wanted: bool) -> Option<String> {
    let last = items.iter().rposition(|item| item.kind != Kind::Space)?;
    if !wanted || !items[last].is_operand() {
        return None;
    }
    let before = |at: usize| items[..at].iter().rposition(|item| item.kind != Kind::Space);
    let mut start = last;
    while let Some(at) = before(start) {
        let dot = items[start].kind == Kind::Word && items[at].is_sign(".");
        let called = items[start].kind == Kind::Group && items[at].is_operand();
        start = match (dot, called) {
            (true, _) => before(at)?,
            (_, true) => at,
            _ => break,
        };
    }
    Some(written(&items.split_off(start)))
}

/// Whether items in parentheses make a tuple: there is a comma, nothing before them that they could apply to, and no
/// assigned names.
fn is_tuple(items: &[Item], before: &[Item], keyword: Option<&str>) -> bool {
    let named = match keyword {
        Some("for") => !before.iter().any(|item| item.is_word("in")),
        Some("set") => !before.iter().any(|item| item.is_sign("=")),
        _ => false,
    };
    let last = before.iter().rfind(|item| item.kind != Kind::Space);
    items.iter().any(|item| item.is_sign(",")) && !named && !last.is_some_and(Item::is_operand)
}

/// A slice of a value, as in Python.
fn sliced(value: &str, bounds: &[Item]) -> String {
    let mut bounds: Vec<String> = bounds.split(|item| item.is_sign(":")).map(joined).collect();
    bounds.resize(3, String::new());
    let bounds: Vec<&str> = bounds.iter().map(|bound| if bound.trim().is_empty() { "none" } else { bound }).collect();
    format!("(({value})|{SLICED}({}))", bounds.join(","))
}

/// Adds a text; adjacent texts are joined.
fn push_text(items: &mut Vec<Item>, text: &str) {
    let own = python_text(text);
    let before = items.iter().rposition(|item| item.kind != Kind::Space).filter(|&at| items[at].kind == Kind::Text);
    let earlier = before.and_then(|at| python_text(&items[at].text).map(|earlier| (at, earlier)));
    if let (Some((at, earlier)), Some(own)) = (earlier, &own) {
        items[at].text = quoted(&(earlier + own));
        return;
    }
    let plain = !text.contains(['\\', '\n']);
    let text = match own {
        Some(own) if !plain => quoted(&own),
        _ => text.to_owned(),
    };
    items.push(Item { kind: Kind::Text, text });
}

/// The value of a quoted text in Python; none if that is an error, or not valid Unicode.
fn python_text(quoted: &str) -> Option<String> {
    let mut characters = quoted.get(1..quoted.len().checked_sub(1)?)?.chars();
    let mut text = String::new();
    let code = |characters: &mut std::str::Chars<'_>, digits: usize| {
        let (hex, rest) = characters.as_str().split_at_checked(digits)?;
        let code = hex.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(hex, 16).ok())??;
        *characters = rest.chars();
        char::from_u32(code)
    };
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next()? {
            '\n' => {}
            same @ ('\\' | '\'' | '"') => text.push(same),
            'a' => text.push('\x07'),
            'b' => text.push('\x08'),
            'f' => text.push('\x0c'),
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            'v' => text.push('\x0b'),
            'x' => text.push(code(&mut characters, 2)?),
            'u' => text.push(code(&mut characters, 4)?),
            'U' => text.push(code(&mut characters, 8)?),
            'N' => return None,
            digit @ '0'..='7' => {
                let mut code = digit as u32 - '0' as u32;
                for _ in 0..2 {
                    let Some(digit) = characters.as_str().chars().next().and_then(|next| next.to_digit(8)) else {
                        break;
                    };
                    characters.next();
                    code = code * 8 + digit;
                }
                text.push(char::from_u32(code)?);
            }
            other => text.extend(['\\', other]),
        }
    }
    Some(text)
}

fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            character => out.push(character),
        }
    }
    out.push('"');
    out
}

fn written(items: &[Item]) -> String {
    items.iter().map(|item| item.text.as_str()).collect()
}

/// The items with each `~` replaced by a filter.
fn joined(items: &[Item]) -> String {
    if !items.iter().any(|item| item.is_sign("~")) {
        return written(items);
    }
    let (mut out, mut at) = (String::new(), 0);
    while at < items.len() {
        let end = (at..items.len()).find(|&at| ends_operand(items, at)).unwrap_or(items.len());
        out.push_str(&joined_run(&items[at..end]));
        if let Some(end) = items.get(end) {
            out.push_str(&end.text);
        }
        at = end + 1;
    }
    out
}

/// Operands with `~` between them.
fn joined_run(run: &[Item]) -> String {
    let operands: Vec<&[Item]> = run.split(|item| item.is_sign("~")).collect();
    let empty = |operand: &&[Item]| operand.iter().all(|item| item.kind == Kind::Space);
    if operands.len() < 2 || operands.iter().any(empty) {
        return written(run);
    }
    let whole = operands.into_iter().map(written).collect::<Vec<_>>().join(",");
    let (start, end) = (whole.len() - whole.trim_start().len(), whole.trim_end().len());
    format!("{}[{}]|{JOINED}{}", &whole[..start], &whole[start..end], &whole[end..])
}

/// Whether an operator with lower precedence than `~` is here.
fn ends_operand(items: &[Item], at: usize) -> bool {
    let before = items[..at].iter().rfind(|item| item.kind != Kind::Space);
    match items[at].kind {
        Kind::Sign => match items[at].text.as_str() {
            "+" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "=" | "," | ":" => true,
            "-" => before.is_some_and(Item::is_operand),
            _ => false,
        },
        Kind::Word => match items[at].text.as_str() {
            "and" | "or" | "if" | "else" | "recursive" => true,
            "not" | "in" => !before.is_some_and(|before| before.is_word("is") || before.is_word("not")),
            _ => false,
        },
        _ => false,
    }
}

/// The rest of `for … in …`, with a filter around the iterable.
fn looped(items: &[Item]) -> Option<String> {
    let start = 1 + items.iter().position(|item| item.is_word("in"))?;
    let ends = |item: &Item| item.is_word("if") || item.is_word("recursive");
    let end = items[start..].iter().position(ends).map_or(items.len(), |at| start + at);
    let over = joined(&items[start..end]);
    let (open, close) = if items[start..end].iter().any(|item| item.is_sign(",")) { ('[', ']') } else { ('(', ')') };
    let rest = joined(&items[end..]);
    let space = if over.ends_with([' ', '\n', '\t']) || !rest.is_empty() { " " } else { "" };
    Some(format!("{} {open}{}{close}|{LOOPED}{space}{rest}", written(&items[..start]), over.trim()))
}

impl Item {
    fn is_sign(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }

    fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text == word
    }

    /// Whether a value ends here, so that a following `-` is a subtraction.
    fn is_operand(&self) -> bool {
        let operators = ["and", "or", "not", "in", "is", "if", "elif", "else", "recursive", "for", "set", "do", "with"];
        let operator = operators.contains(&self.text.as_str());
        matches!(self.kind, Kind::Number | Kind::Text | Kind::Group) || (self.kind == Kind::Word && !operator)
    }
}
