//! Texts that people read in a retirement record.

/// Whether a zero-padded text is UTF-8 without control characters (which could hide or rewrite what a terminal or a
/// page shows). An empty one is.
pub fn is_text(bytes: &[u8]) -> bool {
    let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (text, padding) = bytes.split_at(length);
    padding.iter().all(|byte| *byte == 0) && core::str::from_utf8(text).is_ok_and(|text| text.chars().all(is_readable))
}

/// Controls (C0, DEL, C1), line and paragraph separators, and the marks that turn the direction of what follows.
fn is_readable(character: char) -> bool {
    !matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether it says something: one character that is no space.
pub fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0 || *byte == b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(text: &[u8]) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..text.len()].copy_from_slice(text);
        bytes
    }

    #[test]
    fn texts() {
        for good in ["", "a", "ACME Energy", "Zürich", "東京電力", "sixteen bytes!!!"] {
            assert!(is_text(&padded(good.as_bytes())), "{good}");
        }
        let bad: [&[u8]; 9] = [
            b"a\0b",
            b"\0a",
            b"a\nb",
            b"\x1b[2J",
            b"a\x7f",
            b"\xff\xfe",
            b"\xe6\x9d",
            "a\u{202e}b".as_bytes(),
            "a\u{85}b".as_bytes(),
        ];
        for bad in bad {
            assert!(!is_text(&padded(bad)), "{bad:?}");
        }
        assert!(is_blank(&padded(b"  ")) && is_blank(&padded(b"")) && !is_blank(&padded(b" a")));
    }
}
