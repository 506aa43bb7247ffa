//! Keys of the hot environment: big-endian, so that LMDB's byte order is the order of the numbers. FORMAT.md, "Keys".

use super::stream::NamespaceId;
use crate::column::ColumnId;

/// Key of a namespace, and prefix of all that it holds.
pub(super) fn namespace(namespace: NamespaceId) -> [u8; 4] {
    namespace.0.to_be_bytes()
}

/// Key of a stream, and prefix of what belongs to it outside L0.
pub(super) fn stream(namespace: NamespaceId, stream: u32) -> [u8; 8] {
    let mut key = [0; 8];
    key[..4].copy_from_slice(&namespace.0.to_be_bytes());
    key[4..].copy_from_slice(&stream.to_be_bytes());
    key
}

/// Key of an L0 value. The group leads, so that every commit appends at the end of the table.
pub(super) fn l0(group: u64, namespace: NamespaceId, stream: u32) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&group.to_be_bytes());
    key[8..].copy_from_slice(&self::stream(namespace, stream));
    key
}

/// Group, namespace and stream of an L0 key.
pub(super) fn parse_l0(key: &[u8]) -> Option<(u64, NamespaceId, u32)> {
    let group = u64::from_be_bytes(key.get(..8)?.try_into().ok()?);
    let (namespace, stream) = parse_stream(key.get(8..)?)?;
    Some((group, namespace, stream))
}

/// Namespace and stream of a stream's key.
pub(super) fn parse_stream(key: &[u8]) -> Option<(NamespaceId, u32)> {
    let key: &[u8; 8] = key.try_into().ok()?;
    let number = u64::from_be_bytes(*key);
    Some((NamespaceId((number >> 32) as u32), number as u32))
}

/// Key of the durable length of a dictionary.
pub(super) fn dictionary(namespace: NamespaceId, stream: u32, column: ColumnId) -> [u8; 10] {
    let mut key = [0; 10];
    key[..8].copy_from_slice(&self::stream(namespace, stream));
    key[8..].copy_from_slice(&column.to_be_bytes());
    key
}

/// Key of the dictionary page whose first code is `first`.
pub(super) fn dictionary_page(namespace: NamespaceId, stream: u32, column: ColumnId, first: u32) -> [u8; 14] {
    let mut key = [0; 14];
    key[..10].copy_from_slice(&dictionary(namespace, stream, column));
    key[10..].copy_from_slice(&first.to_be_bytes());
    key
}

/// A run of an index: the codes from `first` to before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Run {
    pub(super) first: u32,
    pub(super) end: u32,
}

/// Prefix of the records of a dictionary's index: before its pages, whose first codes are not 0.
pub(super) fn dictionary_index(stem: &[u8; 10]) -> [u8; 14] {
    let mut key = [0; 14];
    key[..10].copy_from_slice(stem);
    key
}

/// Key of a record of a run, of which the first has the number 0.
pub(super) fn index_record(stem: &[u8; 10], run: Run, number: u32) -> [u8; 26] {
    let mut key = [0; 26];
    key[..10].copy_from_slice(stem);
    key[14..18].copy_from_slice(&run.first.to_be_bytes());
    key[18..22].copy_from_slice(&run.end.to_be_bytes());
    key[22..].copy_from_slice(&number.to_be_bytes());
    key
}

/// Run and number of the key of a record of an index; none: it is the key of something else.
pub(super) fn parse_index_record(key: &[u8]) -> Option<(Run, u32)> {
    let key: &[u8; 26] = key.try_into().ok()?;
    let number = |at: usize| u32::from_be_bytes([key[at], key[at + 1], key[at + 2], key[at + 3]]);
    let (first, end) = (number(14), number(18));
    (number(10) == 0 && first < end).then_some((Run { first, end }, number(22)))
}

/// Key of a batch of quarantined rows.
pub(super) fn quarantine(namespace: NamespaceId, stream: u32, number: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&self::stream(namespace, stream));
    key[8..].copy_from_slice(&number.to_be_bytes());
    key
}

/// Key of the record of a part, and what its file's checksums cover as its identity.
pub(super) fn part(namespace: NamespaceId, stream: u32, part: u64) -> [u8; 16] {
    quarantine(namespace, stream, part)
}

/// Namespace, stream and number of a part's key.
pub(super) fn split_part(key: &[u8; 16]) -> (NamespaceId, u32, u64) {
    let number = u128::from_be_bytes(*key);
    (NamespaceId((number >> 96) as u32), (number >> 64) as u32, number as u64)
}

/// Key of a writer: names order as their bytes do.
pub(super) fn writer(namespace: NamespaceId, name: &str) -> Vec<u8> {
    [&namespace.0.to_be_bytes(), name.as_bytes()].concat()
}

/// Key of a document. A room has no NUL byte, so that one room's documents lie together.
pub(super) fn document(namespace: NamespaceId, room: &str, id: &str) -> Vec<u8> {
    [&namespace.0.to_be_bytes(), room.as_bytes(), &[0], id.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NS: NamespaceId = NamespaceId(7);

    #[test]
    fn an_l0_key_reads_back() {
        let key = l0(0x0102_0304_0506_0708, NamespaceId(9), 10);
        assert_eq!(
            key,
            [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9, 0, 0, 0, 10],
            "group, namespace, stream, most significant byte first"
        );
        assert_eq!(parse_l0(&key), Some((0x0102_0304_0506_0708, NamespaceId(9), 10)));
        assert_eq!(parse_l0(&key[1..]), None);
    }

    #[test]
    fn a_part_key_reads_back() {
        assert_eq!(split_part(&part(NS, 8, u64::MAX - 9)), (NS, 8, u64::MAX - 9));
    }

    #[test]
    fn records_of_an_index_read_back_and_lie_before_the_pages() {
        let (stem, run) = (dictionary(NS, 8, 9), Run { first: 1, end: 70_000 });
        let key = index_record(&stem, run, 3);
        assert_eq!(parse_index_record(&key), Some((run, 3)));
        assert!(key.starts_with(&dictionary_index(&stem)));
        assert!(
            index_record(
                &stem,
                Run {
                    first: u32::MAX - 1,
                    end: u32::MAX
                },
                9
            )[..]
                < dictionary_page(NS, 8, 9, 1)[..]
        );
        assert_eq!(parse_index_record(&dictionary_page(NS, 8, 9, 1)), None);
        assert_eq!(
            parse_index_record(&index_record(&stem, Run { first: 7, end: 7 }, 0)),
            None
        );
    }

    #[test]
    fn a_room_is_a_prefix_of_its_documents_alone() {
        let room = document(NS, "alerts", "");
        assert!(document(NS, "alerts", "a").starts_with(&room));
        assert!(!document(NS, "alerts2", "a").starts_with(&room));
    }

    proptest! {
        #[test]
        fn key_order_is_byte_order(a in any::<(u64, u32, u32, u16, u32)>(), b in any::<(u64, u32, u32, u16, u32)>()) {
            let ns = NamespaceId;
            prop_assert_eq!(namespace(ns(a.1)).cmp(&namespace(ns(b.1))), a.1.cmp(&b.1));
            prop_assert_eq!(stream(ns(a.1), a.2).cmp(&stream(ns(b.1), b.2)), (a.1, a.2).cmp(&(b.1, b.2)));
            prop_assert_eq!(
                l0(a.0, ns(a.1), a.2).cmp(&l0(b.0, ns(b.1), b.2)),
                (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2))
            );
            prop_assert_eq!(
                dictionary_page(ns(a.1), a.2, a.3, a.4).cmp(&dictionary_page(ns(b.1), b.2, b.3, b.4)),
                (a.1, a.2, a.3, a.4).cmp(&(b.1, b.2, b.3, b.4))
            );
            let run = |(_, first, end, ..): (u64, u32, u32, u16, u32)| Run { first, end };
            prop_assert_eq!(
                index_record(&[7; 10], run(a), a.4).cmp(&index_record(&[7; 10], run(b), b.4)),
                (run(a), a.4).cmp(&(run(b), b.4))
            );
            prop_assert_eq!(
                quarantine(ns(a.1), a.2, a.0).cmp(&quarantine(ns(b.1), b.2, b.0)),
                (a.1, a.2, a.0).cmp(&(b.1, b.2, b.0))
            );
        }

        #[test]
        fn names_order_as_their_bytes(a in "[a-z]{0,8}", b in "[a-z]{0,8}") {
            prop_assert_eq!(writer(NS, &a).cmp(&writer(NS, &b)), a.as_bytes().cmp(b.as_bytes()));
            prop_assert_eq!(document(NS, "r", &a).cmp(&document(NS, "r", &b)), a.as_bytes().cmp(b.as_bytes()));
        }
    }
}
