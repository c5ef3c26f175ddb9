//! Numbers and spans of time as people say them.

use std::time::Duration;

/// `1234567` as `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Whole seconds in the two units that matter: `3 d 4 h`, `12 min`, `5 s`.
pub(crate) fn span(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let seconds = seconds.unsigned_abs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let text = match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, 0) => format!("{hours} h"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, 0, _) => format!("{days} d"),
        _ => format!("{days} d {hours} h"),
    };
    format!("{sign}{text}")
}

/// Text of others without what a terminal obeys, or what turns the order of letters round.
pub(crate) fn printable(text: &str) -> String {
    let is_obeyed = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|letter| {
            if is_obeyed(letter) {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .collect()
}

/// A measured time: `340 ms`, `2.1 s`.
pub(crate) fn took(duration: Duration) -> String {
    match duration.as_millis() {
        milliseconds @ 0..1000 => format!("{milliseconds} ms"),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_say_them() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(
            printable("Jiří\u{1b}[2J\u{202e}x"),
            "Jiří\u{fffd}[2J\u{fffd}x"
        );
        assert_eq!(span(5), "5 s");
        assert_eq!(span(720), "12 min");
        assert_eq!(span(7_260), "2 h 1 min");
        assert_eq!(span(7_200), "2 h");
        assert_eq!(span(-90_000), "-1 d 1 h");
        assert_eq!(span(345_600), "4 d");
        assert_eq!(took(Duration::from_millis(340)), "340 ms");
        assert_eq!(took(Duration::from_millis(2_100)), "2.1 s");
    }
}
