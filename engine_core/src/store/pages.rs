//! Pages of dictionaries. Texts come to the disk with the rows that brought them, a small page a commit, plain; when rows are
//! sealed, small pages in a row become few that are packed, and their texts come into the sealed index. FORMAT.md, "Records".

use std::sync::Arc;
use std::time::Duration;

use super::fault::OrFault;
use super::frame::{Decoder, Encoder, damaged};
use super::index;
use super::keys;
use super::shared::Shared;
use super::stream::{NamespaceId, Stream};
use super::tables::Table;
use crate::codec::page;
use crate::column::ColumnId;
use crate::column::schema::ENTITY;
use crate::error::Result;

/// Most bytes of texts in a plain page, unless one text is longer.
const PLAIN_BYTES: usize = 64 << 10;
/// Most bytes of texts in a packed page, unless one text is longer: a frame's best at that, decoded within a cache.
const PACKED_BYTES: usize = 512 << 10;
/// Plain pages, or bytes of them, that are worth a transaction.
const WORTH: (usize, usize) = (16, 16 << 10);
/// Bytes below which the last packed page is packed again with what follows it.
const SMALL_BYTES: usize = 64 << 10;
/// Bytes of pages that one transaction packs, about.
const AT_ONCE: usize = 16 << 20;
/// Codes in pages but not in the index that are worth a transaction of their own: of a store without one, or with a damaged one.
const UNINDEXED: u32 = 8 << 10;

/// Key of a page: namespace, stream, column, first code.
type Key = [u8; 14];
/// Pages as they lie, in order of key.
type Stored = Vec<(Key, Vec<u8>)>;

/// Packs texts, the first of which has the code `first`, into plain pages.
pub(super) fn plain<'a>(
    namespace: NamespaceId,
    stream: u32,
    column: ColumnId,
    mut first: u32,
    texts: impl Iterator<Item = &'a str>,
) -> Stored {
    let mut pages = Vec::new();
    let mut open: Option<(Encoder, usize, u32)> = None;
    let mut close = |(page, _, count): (Encoder, usize, u32)| {
        let key = keys::dictionary_page(namespace, stream, column, first);
        pages.push((key, page.seal(&key)));
        first += count;
    };
    for text in texts {
        if let Some(page) = open.take_if(|(_, bytes, _)| *bytes + text.len() > PLAIN_BYTES) {
            close(page);
        }
        let (page, bytes, count) = open.get_or_insert_with(|| (Encoder::new(Table::Dictionaries), 0, 0));
        page.bytes(text.as_bytes());
        *bytes += text.len();
        *count += 1;
    }
    if let Some(page) = open {
        close(page);
    }
    pages
}

/// A page that was read.
pub(super) enum Page<'a> {
    Plain(Vec<&'a str>),
    Packed(page::Page<'a>),
}

impl<'a> Page<'a> {
    /// The page under a key.
    pub(super) fn open(key: &[u8], value: &'a [u8]) -> Result<Self> {
        let (mut record, is_packed) = Decoder::open_plain_or_packed(Table::Dictionaries, key, value)?;
        if is_packed {
            let page = page::decode(record.rest());
            return page
                .map(Self::Packed)
                .ok_or_else(|| damaged(Table::Dictionaries, key, "a packed page"));
        }
        let mut texts = Vec::new();
        while !record.is_empty() {
            texts.push(record.text()?);
        }
        Ok(Self::Plain(texts))
    }

    /// Its texts, in order of code.
    pub(super) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Plain(texts) => texts.clone(),
            Self::Packed(page) => page.texts().collect(),
        }
    }
}

/// Packs texts, the first of which has the code `first`, into packed pages of about the same size.
fn packed(stem: &[u8; 10], mut first: u32, texts: &[&str]) -> Stored {
    let mut pages = Vec::new();
    let mut rest = texts;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fit = rest.iter().take_while(|text| {
            bytes += text.len();
            bytes <= PACKED_BYTES
        });
        let (now, later) = rest.split_at(fit.count().max(1));
        let mut key = [0; 14];
        key[..10].copy_from_slice(stem);
        key[10..].copy_from_slice(&first.to_be_bytes());
        let mut record = Encoder::packed(Table::Dictionaries);
        record.rest(&page::encode(now));
        pages.push((key, record.seal(&key)));
        first += now.len() as u32;
        rest = later;
    }
    pages
}

/// Packs the plain pages of a stream's dictionaries where that is worth it, and indexes what is packed: by transactions of their own, each
/// of which leaves the same texts under the same codes. Whoever calls holds the sealer's turn.
pub(super) fn pack(shared: &Arc<Shared>, stream: &Arc<Stream>) -> Result<()> {
    while let Some(Work { column, pages, durable }) = worth_packing(shared, stream)? {
        let (new, end) = pack_again(&keys::dictionary(stream.namespace, stream.id, column), &pages)?;
        let growth = shared.read(|hot| index::grown(hot, stream, column, end.max(durable)))?;
        let growth = Arc::new(growth.unwrap_or_default());
        let bytes = pages.iter().map(|(_, value)| value.len()).sum::<usize>() + growth.bytes();
        if shared.has_room_for(bytes as u64).is_err() {
            return Ok(());
        }
        let (target, old, grows) = (Arc::clone(stream), pages, Arc::clone(&growth));
        shared.change(false, move |change| {
            if target.is_deleted() {
                return Ok(());
            }
            for (key, _) in &old {
                change.delete(Table::Dictionaries, key)?;
            }
            for (key, page) in &new {
                change.put(Table::Dictionaries, key, page)?;
            }
            grows.apply(change)
        })?;
        if growth.end > 0 {
            stream.set_sealed_index(column, growth.end);
        }
        shared.sealer.pause(Duration::ZERO)?;
        if stream.is_deleted() {
            return Ok(());
        }
    }
    Ok(())
}

/// First code of a page.
fn code(key: &Key) -> u32 {
    u32::from_be_bytes([key[10], key[11], key[12], key[13]])
}

/// The texts of pages in a row, in packed pages, and the code that follows theirs.
fn pack_again(stem: &[u8; 10], pages: &[(Key, Vec<u8>)]) -> Result<(Stored, u32)> {
    let opened: Vec<Page<'_>> = pages
        .iter()
        .map(|(key, value)| Page::open(key, value))
        .collect::<Result<_>>()?;
    let first = pages.first().map_or(1, |(key, _)| code(key));
    let mut texts = Vec::new();
    for ((key, _), page) in pages.iter().zip(&opened) {
        if code(key) as usize != first as usize + texts.len() {
            return Err(damaged(Table::Dictionaries, key, "a page is missing"));
        }
        texts.extend(page.texts());
    }
    Ok((packed(stem, first, &texts), first + texts.len() as u32))
}

/// What is worth a transaction: pages of a column to pack, or codes of its that no transaction has indexed with their pages.
struct Work {
    column: ColumnId,
    /// Plain ones in a row, after the packed page before them if that is small; or none.
    pages: Stored,
    /// Texts of the codes below it are in pages.
    durable: u32,
}

fn worth_packing(shared: &Shared, stream: &Stream) -> Result<Option<Work>> {
    let columns = stream.all_symbols().into_iter().map(|(column, _)| column);
    let columns = std::iter::once(ENTITY).chain(columns);
    shared.read(|hot| {
        let (txn, table) = (hot.read()?, hot.table(Table::Dictionaries));
        for column in columns {
            let mut run: Vec<(Key, &[u8])> = Vec::new();
            let (mut count, mut bytes, mut durable) = (0, 0, 0);
            let stem = keys::dictionary(stream.namespace, stream.id, column);
            for found in table.prefix_iter(&txn, &stem).or_fault()? {
                let (key, value) = found.or_fault()?;
                if keys::parse_index_record(key).is_some() {
                    continue;
                }
                let key: Key = key.try_into().map_err(|_| damaged(Table::Dictionaries, key, "key"))?;
                durable = code(&key);
                if !Decoder::is_packed(value) {
                    run.push((key, value));
                    (count, bytes) = (count + 1, bytes + value.len());
                    if bytes > AT_ONCE {
                        break;
                    }
                } else if value.len() < SMALL_BYTES {
                    run = vec![(key, value)];
                } else {
                    run.clear();
                }
            }
            let packs = count >= WORTH.0 || bytes >= WORTH.1;
            if packs || durable >= stream.sealed_index(column).saturating_add(UNINDEXED) {
                let copies = run.into_iter().map(|(key, value)| (key, value.to_vec()));
                let pages = if packs { copies.collect() } else { Vec::new() };
                return Ok(Some(Work { column, pages, durable }));
            }
        }
        Ok(None)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_pages_are_dense_by_code() {
        let long = "x".repeat(40_000);
        let texts = ["a", &long, &long, "", "b"];
        let pages = plain(NamespaceId(1), 2, 3, 10, texts.into_iter());
        let mut first = 10;
        let mut read = Vec::new();
        for (key, value) in &pages {
            assert_eq!(*key, keys::dictionary_page(NamespaceId(1), 2, 3, first));
            let page = Page::open(key, value).unwrap();
            first += page.texts().len() as u32;
            read.extend(page.texts().into_iter().map(str::to_owned));
        }
        assert_eq!(pages.len(), 2);
        assert_eq!(read, texts);
    }

    #[test]
    fn packed_pages_have_the_texts_of_plain_ones() {
        let mut texts: Vec<String> = (0..60_000).map(|i| format!("user-{}", i * 7)).collect();
        texts.push("y".repeat(PACKED_BYTES + 1));
        texts.extend((0..10).map(|i| format!("last-{i}")));
        let plain = plain(NamespaceId(1), 2, 3, 10, texts.iter().map(String::as_str));
        let stem = keys::dictionary(NamespaceId(1), 2, 3);
        let (once, end) = pack_again(&stem, &plain).unwrap();
        assert_eq!(end as usize, 10 + texts.len());
        assert_eq!(pack_again(&stem, &once).unwrap(), (once.clone(), end));
        let bytes = |pages: &[(Key, Vec<u8>)]| pages.iter().map(|(_, value)| value.len()).sum::<usize>();
        assert!(
            bytes(&once) * 3 < bytes(&plain),
            "{} of {}",
            bytes(&once),
            bytes(&plain)
        );
        let (mut first, mut read) = (10, Vec::new());
        for (key, value) in &once {
            assert!(Decoder::is_packed(value));
            assert_eq!(*key, keys::dictionary_page(NamespaceId(1), 2, 3, first));
            let page = Page::open(key, value).unwrap();
            first += page.texts().len() as u32;
            read.extend(page.texts().into_iter().map(str::to_owned));
        }
        assert_eq!(read, texts);
        assert!(pack_again(&stem, &[plain[0].clone(), plain[2].clone()]).is_err());
    }

    #[test]
    fn a_flipped_bit_in_a_packed_page_is_noticed() {
        let key = keys::dictionary_page(NamespaceId(1), 2, 3, 1);
        let pages = packed(&keys::dictionary(NamespaceId(1), 2, 3), 1, &["ada", "ben"]);
        let value = &pages[0].1;
        assert_eq!(pages[0].0, key);
        for bit in 0..value.len() * 8 {
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Page::open(&key, &flipped).is_err(), "bit {bit}");
        }
    }
}
