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
    assert_eq!(Depth::from_colorterm(Some("truecolor")), Depth::True);
    assert_eq!(Depth::from_colorterm(None), Depth::Indexed);
}
