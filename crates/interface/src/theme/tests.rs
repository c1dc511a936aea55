use super::*;

fn theme(text: &str) -> Result<Theme, String> {
    Theme::parse(&text.parse().expect("TOML"))
}

#[test]
fn every_embedded_theme_is_whole() {
    let themes = Themes::load(None, Depth::True);
    assert_eq!(themes.list.len(), EMBEDDED.len());
    assert!(themes.position(MONOCHROME).is_some());
    for text in EMBEDDED {
        let table: Table = text.parse().expect("TOML");
        Theme::parse(&table).expect("a theme");
        for meaning in Meaning::ALL {
            assert!(table["meaning"].get(meaning.name()).is_some(), "{} in {}", meaning.name(), table["name"]);
        }
    }
}

#[test]
fn monochrome_has_no_colour() {
    let themes = Themes::load(None, Depth::True);
    let theme = &themes.list[themes.position(MONOCHROME).expect("shipped")];
    assert!(theme.styles.iter().all(|style| style.fg.is_none() && style.bg.is_none()));
}

#[test]
fn a_parent_stands_before_its_children() {
    for (index, meaning) in Meaning::ALL.into_iter().enumerate() {
        assert!(meaning.parent().is_none_or(|parent| (parent as usize) < index));
    }
}

#[test]
fn a_meaning_falls_back_to_its_parent() {
    let theme = theme("name = 'a'\n[palette]\nsea = '#102030'\n[meaning]\nwarn = 'sea'").expect("a theme");
    assert_eq!(theme.style(Meaning::Pending).fg, Some(Color::Rgb(16, 32, 48)));
    assert_eq!(theme.style(Meaning::GaugeHigh).fg, Some(Color::Rgb(16, 32, 48)));
    assert_eq!(theme.style(Meaning::Ok).fg, None);
}

#[test]
fn what_is_wrong_is_said() {
    let wrong = |text: &str| theme(text).expect_err("refused");
    assert!(wrong("name = 'a'\n[meaning]\nwarm = 'red'").contains("\"warm\" is not a meaning"));
    assert!(wrong("name = 'a'\n[meaning]\nwarn = 'see'").starts_with("warn: \"see\" is neither"));
    assert!(wrong("name = 'a'\n[meaning]\nwarn = { blink = true }").contains("\"blink\""));
    assert!(wrong("[meaning]").contains("no name"));
    assert!(wrong("name = 'a'\nmeaning = 3").contains("not a table"));
}

#[test]
fn only_what_a_users_theme_names_changes() {
    let folder = std::env::temp_dir().join(format!("spartui-themes-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("dark.toml"), "[meaning]\nok = '#ff0000'").expect("written");
    std::fs::write(folder.join("torn.toml"), "[meaning").expect("written");
    std::fs::write(folder.join("mine.toml"), "[meaning]\nok = 'blue'").expect("written");
    let themes = Themes::load(Some(&folder), Depth::True);
    std::fs::remove_dir_all(&folder).expect("removed");
    let shipped = Themes::load(None, Depth::True);
    assert_eq!(themes.list[0].style(Meaning::Ok).fg, Some(Color::Rgb(255, 0, 0)));
    assert_eq!(themes.list[0].style(Meaning::Focus), shipped.list[0].style(Meaning::Focus));
    assert!(themes.position("mine").is_some());
    assert_eq!(themes.warnings.len(), 1);
    assert!(themes.warnings[0].contains("torn.toml"));
}

#[test]
fn few_colours_are_the_nearest_ones() {
    let few = Themes::load(None, Depth::Indexed);
    assert!(few.list.iter().flat_map(|theme| theme.styles).all(|style| !matches!(style.fg, Some(Color::Rgb(..)))));
    let depth = |colorterm, term| Depth::of_terminal(colorterm, Some(term));
    assert_eq!(depth(Some("truecolor"), "xterm-256color"), Depth::True);
    assert_eq!(depth(None, "xterm-256color"), Depth::Indexed);
    assert_eq!(depth(None, "screen"), Depth::Indexed);
    assert_eq!(depth(None, "linux"), Depth::Sixteen);
    assert_eq!(depth(None, "foot-direct"), Depth::True);
}

#[test]
fn sixteen_colours_keep_their_hues_and_never_hide_text() {
    let themes = Themes::load(None, Depth::Sixteen);
    for theme in &themes.list {
        for meaning in Meaning::ALL {
            let style = theme.ground().patch(theme.style(meaning));
            for color in [style.fg, style.bg].into_iter().flatten() {
                assert!(!matches!(color, Color::Rgb(..) | Color::Indexed(_)), "{color} in {}", theme.name);
            }
            let hidden = style.fg.is_some() && style.fg == style.bg;
            assert!(!hidden || style.add_modifier.contains(Modifier::REVERSED), "{} in {}", meaning.name(), theme.name);
        }
    }
    let dark = &themes.list[0];
    let colors = [Meaning::Ok, Meaning::Warn, Meaning::Error, Meaning::Text].map(|meaning| dark.style(meaning).fg);
    let expected = [Color::LightGreen, Color::LightYellow, Color::LightRed, Color::White];
    assert_eq!(colors, expected.map(Some));
}

/// Red, green and blue of a meaning's text in full colours.
fn seen(theme: &Theme, meaning: Meaning) -> Option<(u8, u8, u8)> {
    contrast::rgb(theme.ground().patch(theme.style(meaning)).fg?)
}

/// The possible backgrounds of a theme: its own, or those of the terminals for which it is made.
fn grounds(theme: &Theme, depth: Depth) -> Vec<Color> {
    let rgb = |(red, green, blue): &(u8, u8, u8)| Color::Rgb(*red, *green, *blue);
    match (theme.background, theme.name.as_str(), depth) {
        (Some(background), ..) => vec![background],
        (None, "light", Depth::Sixteen) => vec![Color::White],
        (None, _, Depth::Sixteen) => vec![Color::Black],
        (None, "light", _) => contrast::LIGHT_GROUNDS.iter().map(rgb).collect(),
        _ => contrast::DARK_GROUNDS.iter().map(rgb).collect(),
    }
}

const DEPTHS: [Depth; 3] = [Depth::True, Depth::Indexed, Depth::Sixteen];

#[test]
fn contrast_is_that_of_wcag() {
    // From the definition's examples: black on white, and the grey that just passes.
    assert!((contrast::contrast((0, 0, 0), (255, 255, 255)) - 21.0).abs() < 1e-9);
    assert!((contrast::contrast((0x76, 0x76, 0x76), (255, 255, 255)) - 4.54).abs() < 0.005);
    assert!((contrast::contrast((0x77, 0x77, 0x77), (255, 255, 255)) - 4.48).abs() < 0.005);
    assert_eq!(contrast::contrast_of(Color::Reset, Color::Black), None);
    assert!(contrast::contrast_of(Color::LightYellow, Color::White).is_some_and(|found| found < 1.1));
}

#[test]
fn what_is_to_be_read_can_be_read_in_all_depths() {
    let mut wrong = Vec::new();
    for depth in DEPTHS {
        for theme in Themes::load(None, depth).list.iter().filter(|theme| theme.name != MONOCHROME) {
            for meaning in Meaning::ALL {
                let style = theme.style(meaning);
                let least = match (theme.name.as_str(), depth, meaning.least_contrast()) {
                    ("high-contrast", Depth::True, least) if least >= 4.5 => 7.0,
                    (_, _, least) => least,
                };
                let Some(front) = style.fg.or(theme.ground().fg) else { continue };
                for ground in style.bg.map_or_else(|| grounds(theme, depth), |behind| vec![behind]) {
                    let found = contrast::contrast_of(front, ground).expect("colours");
                    if found < least {
                        wrong.push(format!("{depth:?} {} {}: {found:.2} of {least}", theme.name, meaning.name()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_selected_row_is_unlike_the_others_in_all_depths() {
    for depth in DEPTHS {
        for theme in Themes::load(None, depth).list {
            for meaning in [Meaning::Selection, Meaning::Cursor] {
                let style = theme.style(meaning);
                let apart = |behind: Color| {
                    let far = |ground| contrast::contrast_of(behind, ground).is_some_and(|found| found >= 1.2);
                    grounds(&theme, depth).into_iter().all(far)
                };
                let is_marked = style.add_modifier.contains(Modifier::REVERSED) || style.bg.is_some_and(apart);
                assert!(is_marked, "{} of {} in {depth:?}: {style:?}", meaning.name(), theme.name);
            }
        }
    }
}

/// A colour as seen with protanopia or deuteranopia (Viénot, Brettel and Mollon, 1999).
fn dichromat((r, g, b): (u8, u8, u8), without_red: bool) -> [f64; 3] {
    let linear = |channel: u8| (f64::from(channel) / 255.0).powf(2.2);
    let (r, g, b) = (linear(r), linear(g), linear(b));
    let (mixed, blue) = if without_red {
        (0.112_38 * r + 0.887_62 * g, 0.004_01 * r - 0.004_01 * g + b)
    } else {
        (0.292_75 * r + 0.707_25 * g, -0.022_34 * r + 0.022_34 * g + b)
    };
    [mixed, mixed, blue].map(|value| value.clamp(0.0, 1.0).powf(1.0 / 2.2))
}

#[test]
fn the_colour_blind_theme_tells_apart_what_must_be_told_apart() {
    let themes = Themes::load(None, Depth::True);
    let theme = &themes.list[themes.position("colour-blind").expect("shipped")];
    let groups: [&[Meaning]; 3] = [
        &[Meaning::Series1, Meaning::Series2, Meaning::Series3, Meaning::Series4],
        &[Meaning::Ok, Meaning::Warn, Meaning::Error],
        &[Meaning::GaugeLow, Meaning::GaugeMid, Meaning::GaugeHigh],
    ];
    for without_red in [true, false] {
        for meanings in groups {
            for (index, one) in meanings.iter().enumerate() {
                for other in &meanings[..index] {
                    let look = |meaning: &Meaning| dichromat(seen(theme, *meaning).expect("colours"), without_red);
                    let apart = look(one).iter().zip(look(other)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                    assert!(apart > 0.12, "{} and {}: {apart:.2}", one.name(), other.name());
                }
            }
        }
    }
}
