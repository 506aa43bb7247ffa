//! Pages of what is listed: how many things are on one, and tokens that say where the next begins. A token is signed with a key of
//! the namespace, over the whole request: it holds for no other.

use std::hash::Hasher;

use prost::Message;
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::error::{Error, Result};

/// Things on a page unless a request says so.
const DEFAULT_PAGE: usize = 100;
/// Most things on a page.
const LARGEST_PAGE: usize = 1_000;
/// Bytes of a token's signature.
const SIGNATURE_BYTES: usize = 16;

/// Things on a page.
pub(super) fn page_size(asked: i32) -> Result<usize> {
    match usize::try_from(asked) {
        Ok(0) => Ok(DEFAULT_PAGE),
        Ok(asked) => Ok(asked.min(LARGEST_PAGE)),
        Err(_) => {
            let message = format!("page_size is not negative, got {asked}");
            Err(Error::invalid("BAD_PAGE_SIZE", "page_size", message))
        }
    }
}

/// Makes and reads tokens of one request, which comes without its own.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    secret: [u8; 16],
    request: Vec<u8>,
}

impl Tokens {
    /// For a request of a method, under the namespace's secret.
    pub(super) fn new(secret: [u8; 16], method: &str, request: &impl Message) -> Self {
        let mut bytes = method.as_bytes().to_vec();
        bytes.push(0);
        bytes.extend(request.encode_to_vec());
        Self { secret, request: bytes }
    }

    /// The token of a position.
    pub(super) fn make<const N: usize>(&self, position: [u8; N]) -> String {
        let signature = self.signature(&position);
        position
            .iter()
            .chain(&signature)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The position of a token; none of the first page.
    pub(super) fn read<const N: usize>(&self, token: &str) -> Result<Option<[u8; N]>> {
        if token.is_empty() {
            return Ok(None);
        }
        let position = bytes_of(token).and_then(|bytes| {
            let (position, signature) = bytes.split_at_checked(N)?;
            (signature == self.signature(position)).then(|| position.try_into().ok())?
        });
        position.map(Some).ok_or_else(|| {
            let rule = "page_token is as the last page gave it, and the other fields are as they were then";
            Error::invalid("BAD_PAGE_TOKEN", "page_token", rule)
        })
    }

    fn signature(&self, position: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut hasher = SipHasher13::new_with_key(&self.secret);
        hasher.write(b"page token");
        hasher.write(&(self.request.len() as u64).to_le_bytes());
        hasher.write(&self.request);
        hasher.write(position);
        hasher.finish128().as_bytes()
    }
}

/// Bytes of lower-case hexadecimal digits.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::v1;

    fn tokens(secret: u8, method: &str, stream: &str) -> Tokens {
        let request = v1::ListEventsRequest {
            stream: stream.to_owned(),
            ..Default::default()
        };
        Tokens::new([secret; 16], method, &request)
    }

    #[test]
    fn a_token_holds_for_its_request_alone() {
        let ours = tokens(1, "ListEvents", "a");
        let token = ours.make([1, 2, 255]);
        assert_eq!(ours.read(&token).unwrap(), Some([1, 2, 255]));
        assert_eq!(ours.read::<3>("").unwrap(), None);
        for other in [
            tokens(2, "ListEvents", "a"),
            tokens(1, "ExploreDimension", "a"),
            tokens(1, "ListEvents", "b"),
        ] {
            let error = other.read::<3>(&token).unwrap_err();
            assert_eq!((error.reason(), error.field()), ("BAD_PAGE_TOKEN", "page_token"));
        }
        assert!(ours.read::<2>(&token).is_err() && ours.read::<4>(&token).is_err());
    }

    #[test]
    fn pages_have_a_size_within_bounds() {
        assert_eq!(
            [0, 1, 1_000, 1_001].map(|asked| page_size(asked).unwrap()),
            [100, 1, 1_000, 1_000]
        );
        assert_eq!(page_size(-1).unwrap_err().reason(), "BAD_PAGE_SIZE");
    }

    proptest! {
        #[test]
        fn a_token_with_one_byte_changed_or_cut_is_refused(position: [u8; 5], at: usize, byte: u8, cut: usize) {
            let ours = tokens(1, "ListEvents", "a");
            let token = ours.make(position).into_bytes();
            let mut broken = token.clone();
            let at = at % token.len();
            broken[at] = byte;
            if let Ok(text) = std::str::from_utf8(&broken) {
                prop_assert_eq!(ours.read::<5>(text).is_ok(), broken == token);
            }
            let cut = cut % token.len();
            prop_assert_eq!(ours.read::<5>(std::str::from_utf8(&token[..cut]).unwrap()).is_ok(), cut == 0);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _ = tokens(1, "ListEvents", "a").read::<5>(&text);
        }
    }
}
