//! From bytes to text.

use anyhow::{Result, anyhow, bail};

/// Bytes per NUL at the most in a text that is taken for UTF-16. Spaces, digits and line ends have a NUL in every
/// script.
const MAX_BYTES_PER_NUL: usize = 64;

/// The bytes as text; the error tells what they seem to be, or the first byte that is not UTF-8.
pub fn utf8(bytes: Vec<u8>) -> Result<String> {
    if let Some(encoding) = utf16(&bytes) {
        bail!("looks like {encoding}, not UTF-8; convert the text with iconv -f {encoding} -t UTF-8");
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..at).unwrap_or_default();
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        anyhow!("not UTF-8 at byte {at} (line {line}); convert the text, for example with iconv -t UTF-8")
    })
}

/// The name that `iconv` has for the wide characters that the bytes seem to be, if they do.
///
/// With a byte-order mark that is certain. Without one it must be guessed, since such text can be valid UTF-8, with
/// NULs in it: they all stand in the upper half of a pair, and there are many.
fn utf16(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some("UTF-16"),
        _ => {}
    }
    let mut nuls = [0usize; 4];
    for quad in bytes.chunks(4) {
        nuls.iter_mut().zip(quad).for_each(|(nuls, &byte)| *nuls += usize::from(byte == 0));
    }
    let count = nuls.iter().sum::<usize>();
    // A single one may be a slip in a short text.
    if count < 2 || count.saturating_mul(MAX_BYTES_PER_NUL) < bytes.len() {
        return None;
    }
    match nuls.map(|nuls| nuls > 0) {
        [false, _, true, true] => Some("UTF-32LE"),
        [true, true, _, false] => Some("UTF-32BE"),
        [false, _, false, _] => Some("UTF-16LE"),
        [_, false, _, false] => Some("UTF-16BE"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::utf8;

    const TEXTS: [&str; 3] = [
        "The lighthouse on Gannet Point was built in 1862.",
        "Маяк построен в 1862 году. Его высота 31 метр.",
        "Two lines,\nthe second one shorter.\n",
    ];

    fn refusal(bytes: Vec<u8>) -> String {
        utf8(bytes).unwrap_err().to_string()
    }

    /// Every text, in 16 and 32 bits.
    #[test]
    fn wide_characters_without_a_byte_order_mark_are_no_text_of_single_letters() {
        for text in TEXTS {
            let wide = |to: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(to).collect::<Vec<u8>>();
            let wider = |to: fn(u32) -> [u8; 4]| text.chars().flat_map(|c| to(c.into())).collect::<Vec<u8>>();
            for (bytes, encoding) in [
                (wide(u16::to_le_bytes), "UTF-16LE"),
                (wide(u16::to_be_bytes), "UTF-16BE"),
                (wider(u32::to_le_bytes), "UTF-32LE"),
                (wider(u32::to_be_bytes), "UTF-32BE"),
            ] {
                let message = refusal(bytes);
                assert!(message.starts_with(&format!("looks like {encoding}, ")), "{text}: {message}");
                assert!(message.contains(&format!("iconv -f {encoding} ")), "{message}");
            }
        }
    }

    #[test]
    fn a_byte_order_mark_tells_the_encoding() {
        assert!(refusal(b"\xff\xfea\0".to_vec()).contains("iconv -f UTF-16 "));
        assert!(refusal(b"\xfe\xff\x4e\x00".to_vec()).contains("iconv -f UTF-16 "));
        assert!(refusal(b"\xff\xfe\0\0a\0\0\0".to_vec()).contains("iconv -f UTF-32 "));
    }

    #[test]
    fn a_stray_nul_is_no_wide_character() {
        let text = format!("{}\0{}", TEXTS[0], TEXTS[2]);
        assert_eq!(utf8(text.clone().into_bytes()).unwrap(), text);
        assert_eq!(utf8(Vec::new()).unwrap(), "");
        assert_eq!(utf8(TEXTS[1].into()).unwrap(), TEXTS[1]);
    }
}
