//! Text in a distinguished name: Unicode in normalisation form C, everything visible and assigned.
//!
//! Letters of every script are fine, right-to-left ones too. What is refused cannot be seen, or
//! makes a reader see something else than the machine compares: control characters, bidirectional
//! controls, invisible format characters, characters not assigned, and the traces of broken
//! software (replacement characters, HTML entities such as `&#1234;` in place of a letter).

use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_script::{Script, UnicodeScript};

use crate::refusal::Refusal;

const FIELD: &str = "name";

/// The value in normalisation form C: the same characters, composed.
pub fn normalise(value: &str) -> String {
    value.nfc().collect()
}

/// Checks that `value` may stand in a name (I9). The caller names the field.
pub fn check_text(value: &str) -> Result<(), Refusal> {
    if value.is_empty() {
        return Err(refuse("the value is empty", "Leave the field out."));
    }
    if value.starts_with(char::is_whitespace) || value.ends_with(char::is_whitespace) {
        return Err(refuse(
            "the value begins or ends with white space",
            "Remove the white space at both ends.",
        ));
    }

    let mut before = None;
    let mut rest = value.chars().peekable();
    while let Some(character) = rest.next() {
        check_character(before, character, rest.peek().copied())?;
        before = Some(character);
    }

    if let Some(entity) = html_entity(value) {
        return Err(refuse(
            format!("it holds the HTML entity \"{entity}\" in place of a character"),
            "Write the character itself, encoded as UTF-8 (openssl req -utf8).",
        ));
    }
    if !is_nfc(value) {
        return Err(refuse(
            "the value is not in Unicode normalisation form C",
            "Use composed characters (NFC).",
        ));
    }
    Ok(())
}

fn check_character(before: Option<char>, it: char, after: Option<char>) -> Result<(), Refusal> {
    let what = match it {
        '\0' => "the character NUL",
        _ if it.is_control() => "a control character",
        '\u{061C}'
        | '\u{200E}'
        | '\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2066}'..='\u{2069}' => "a bidirectional control character",
        '\u{2028}' | '\u{2029}' => "a line or paragraph separator",
        '\u{200C}' | '\u{200D}' if joins(before) && joins(after) => return Ok(()),
        '\u{00AD}'
        | '\u{034F}'
        | '\u{115F}'
        | '\u{1160}'
        | '\u{17B4}'
        | '\u{17B5}'
        | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200D}'
        | '\u{2060}'..='\u{206F}'
        | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}'
        | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}'
        | '\u{E0000}'..='\u{E0FFF}' => "an invisible character",
        '\u{00A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' => {
            "a space that cannot be told from the plain one"
        }
        '\u{FFFD}' => "the replacement character of a failed conversion",
        _ if it.script() == Script::Unknown => "a character that Unicode has not assigned",
        _ => return Ok(()),
    };
    Err(refuse(
        format!("it holds {what} (U+{:04X})", u32::from(it)),
        "Remove the character; only visible text may stand in a name.",
    ))
}

/// Whether a zero-width joiner or non-joiner beside `neighbour` can change how the text is written:
/// it does in Arabic and in the scripts of India, never in Latin, Greek or Cyrillic.
fn joins(neighbour: Option<char>) -> bool {
    neighbour.is_some_and(|neighbour| {
        !matches!(
            neighbour.script(),
            Script::Common
                | Script::Latin
                | Script::Greek
                | Script::Cyrillic
                | Script::Han
                | Script::Unknown
        ) && !matches!(neighbour, '\u{200C}' | '\u{200D}')
    })
}

/// The first HTML entity in `value`: numeric ones, and the named ones that stand for markup or a letter.
fn html_entity(value: &str) -> Option<&str> {
    value.match_indices('&').find_map(|(start, _)| {
        let rest = &value[start..];
        let end = rest.find(';')?;
        is_entity_name(&rest[1..end]).then_some(&rest[..=end])
    })
}

fn is_entity_name(name: &str) -> bool {
    if let Some(number) = name.strip_prefix('#') {
        let hex = number.strip_prefix(['x', 'X']);
        return match hex {
            Some(digits) => !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit()),
            None => !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()),
        };
    }
    const MARKUP: [&str; 8] = ["amp", "apos", "gt", "lt", "nbsp", "quot", "shy", "szlig"];
    const ACCENTS: [&str; 9] = [
        "acute", "caron", "cedil", "circ", "grave", "lig", "ring", "slash", "tilde",
    ];
    MARKUP.contains(&name)
        || name.len() == 4 && name.ends_with("uml")
        || ACCENTS.iter().any(|accent| {
            name.strip_suffix(accent)
                .is_some_and(|letter| matches!(letter.len(), 1 | 2) && letter.is_ascii())
        })
}

fn refuse(message: impl Into<String>, remedy: &str) -> Refusal {
    Refusal::new("I9", FIELD, message, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_every_script_are_names() {
        for name in [
            "Žluťoučký Kůň",
            "Γιώργος Παπαδόπουλος",
            "محمد العربي",
            "שרה כהן",
            "王小明",
            "山田　太郎",
            "Нина Ковалёва",
            "กมลชนก",
            "नीलम शर्मा",
            "علی‌رضا",
            "O'Neill & Sons, s.r.o.",
            "AT&T; Research",
        ] {
            assert_eq!(check_text(&normalise(name)), Ok(()), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_refused() {
        for (name, reason) in [
            ("a\0b", "NUL"),
            ("a\nb", "control"),
            ("a\u{7f}b", "control"),
            ("a\u{85}b", "control"),
            ("abc\u{202E}def", "bidirectional"),
            ("abc\u{2066}def", "bidirectional"),
            ("محمد\u{200F}", "bidirectional"),
            ("a\u{061C}b", "bidirectional"),
            ("a\u{200B}b", "invisible"),
            ("a\u{200D}b", "invisible"),
            ("\u{FEFF}abc", "invisible"),
            ("so\u{AD}ft", "invisible"),
            ("a\u{E0041}b", "invisible"),
            ("a\u{A0}b", "space"),
            ("a\u{2028}b", "separator"),
            ("a\u{FFFD}b", "replacement"),
            ("a\u{E000}b", "assigned"),
            ("a\u{FDD0}b", "assigned"),
            ("&#1046;anna", "HTML"),
            ("&#x416;anna", "HTML"),
            ("Mu&ntilde;oz", "HTML"),
            ("M&uuml;ller", "HTML"),
            ("A &amp; B", "HTML"),
            ("Ko\u{301}", "normalisation"),
            (" a", "white space"),
            ("a ", "white space"),
            ("", "empty"),
        ] {
            let refusal = check_text(name).expect_err(name);
            assert_eq!(refusal.rule, "I9");
            assert!(
                refusal.message.contains(reason),
                "{name:?}: {}",
                refusal.message
            );
            assert!(!refusal.remedy.is_empty());
        }
    }

    #[test]
    fn decomposed_text_becomes_composed() {
        assert_eq!(normalise("Z\u{30C}lut\u{30C}"), "Žluť");
        assert_eq!(check_text(&normalise("Z\u{30C}lut\u{30C}")), Ok(()));
    }
}
