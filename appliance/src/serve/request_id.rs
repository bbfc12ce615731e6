//! A name for each request, in its response and in the logs.

use core::fmt::Write;
use core::hash::{BuildHasher, Hasher};
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::hash_map::RandomState;
use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName};

/// The header that carries it, both ways.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longer ones are not taken over.
const MAX_LEN: usize = 128;

/// The client's own, if it is short and plain; else a new one.
pub fn of(headers: &HeaderMap) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte);
    let own = headers.get(HEADER).and_then(|value| value.to_str().ok());
    match own.filter(|id| (1..=MAX_LEN).contains(&id.len()) && id.bytes().all(plain)) {
        Some(id) => id.to_owned(),
        None => new(),
    }
}

/// 128 bits, in hexadecimal, that differ between requests and processes.
fn new() -> String {
    static SEEDS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::new(), RandomState::new()]);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut id = String::with_capacity(32);
    for seed in SEEDS.iter() {
        let mut hasher = seed.build_hasher();
        hasher.write_u64(count);
        // A String takes everything.
        let _ = write!(id, "{:016x}", hasher.finish());
    }
    id
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use axum::http::{HeaderMap, HeaderValue};

    use super::{HEADER, of};

    fn given(id: &[u8]) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_bytes(id).unwrap());
        of(&headers)
    }

    #[test]
    fn the_clients_own_is_kept_if_it_is_harmless() {
        assert_eq!(given(b"a-1_b.c:d/e+f="), "a-1_b.c:d/e+f=");
        for id in [b"".as_slice(), b"two words", b"line\ttab", "\u{202e}".as_bytes(), &[b'x'; 129], b"\"}{\""]
        {
            let new = given(id);
            assert!(new.len() == 32 && new.bytes().all(|byte| byte.is_ascii_hexdigit()), "{new}");
        }
    }

    #[test]
    fn new_ones_differ() {
        let ids: HashSet<String> = (0..1000).map(|_| of(&HeaderMap::new())).collect();
        assert_eq!(ids.len(), 1000);
    }
}
