//! Group numbers: a dense array on the product of window and codes where it is small, a hash table on fixed-width keys above.
//!
//! A key is one word a part. Groups are numbered from 0 in order of first sight, so the numbers depend on the rows alone.

use hashbrown::HashTable;

use crate::error::{Error, Kind, Result};

/// Most slots of a dense array.
pub const MAX_DENSE: u64 = 1 << 22;

const NO_GROUP: u32 = u32::MAX;

/// How the parts of a key are laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// No parts: one group at most.
    Single,
    /// Part `i` is below `radices[i]`, and the product of all is at most [`MAX_DENSE`].
    Dense(Vec<u64>),
    /// So many parts of any value.
    Hashed(usize),
}

impl Shape {
    /// The shape for parts below these radices, `None` being unbounded, over about so many rows.
    pub fn of(radices: &[Option<u64>], rows: u64) -> Self {
        if radices.is_empty() {
            return Self::Single;
        }
        // An array much larger than the rows costs more to clear than a table to probe.
        let most = MAX_DENSE.min(rows.saturating_mul(4).max(1 << 12));
        let product = radices.iter().try_fold(1u64, |product, radix| {
            product.checked_mul((*radix)?).filter(|product| *product <= most)
        });
        match product {
            Some(_) => Self::Dense(radices.iter().copied().flatten().collect()),
            None => Self::Hashed(radices.len()),
        }
    }

    /// Slots or parts: how much a group table costs before it has a group.
    pub fn slots(&self) -> u64 {
        match self {
            Self::Single => 1,
            Self::Dense(radices) => radices.iter().product(),
            Self::Hashed(_) => 0,
        }
    }
}

#[derive(Clone, Debug)]
enum Table {
    Single,
    Dense(Dense),
    Hashed(HashTable<u32>),
}

/// Group by slot, from slot `first` on.
#[derive(Clone, Debug)]
struct Dense {
    first: u64,
    ids: Vec<u32>,
}

impl Dense {
    fn id(&mut self, slot: u64) -> &mut u32 {
        &mut self.ids[(slot - self.first) as usize]
    }
}

/// The groups seen so far.
#[derive(Clone, Debug)]
pub struct Grouper {
    shape: Shape,
    table: Table,
    /// Single: nothing; dense: the slot of each group; hashed: the parts of each group.
    keys: Vec<u64>,
    groups: u32,
}

/// The error of more groups than a query may have.
pub(crate) fn too_many(most: u64) -> Error {
    Error::new(
        Kind::LimitExceeded,
        "QUERY_GROUPS_EXCEEDED",
        format!("a query has at most {most} groups over all windows, this one has more"),
    )
    .at("spec.budget.max_groups")
}

/// Mixes the parts of a key (the folded multiplication of wyhash).
#[inline]
fn hash_of(parts: impl Iterator<Item = u64>) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    for part in parts {
        let product = u128::from(state ^ part) * u128::from(0xa076_1d64_78bd_642fu64);
        state = (product as u64) ^ (product >> 64) as u64 ^ 0xe703_7ed1_a0b4_28db;
    }
    let product = u128::from(state) * u128::from(0x8ebc_6af0_9c88_c6e3u64);
    (product as u64) ^ (product >> 64) as u64
}

impl Grouper {
    /// No groups yet.
    pub fn new(shape: Shape) -> Self {
        Self::of_partition(shape, 0, 1)
    }

    /// No groups yet, to be of one of so many partitions of keys.
    pub fn of_partition(shape: Shape, partition: usize, partitions: usize) -> Self {
        let width = shape.slots().div_ceil(partitions as u64);
        let table = match &shape {
            Shape::Single => Table::Single,
            Shape::Dense(_) => Table::Dense(Dense {
                first: width * partition as u64,
                ids: vec![NO_GROUP; width as usize],
            }),
            Shape::Hashed(_) => Table::Hashed(HashTable::new()),
        };
        Self {
            shape,
            table,
            keys: Vec::new(),
            groups: 0,
        }
    }

    /// The groups of all partitions in order, to be read: it finds no keys any more.
    pub fn joined(shape: Shape, partitions: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self {
            shape,
            table: Table::Single,
            keys: Vec::new(),
            groups: 0,
        };
        for one in partitions {
            all.keys.extend(one.keys);
            all.groups += one.groups;
        }
        all
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.groups as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.groups == 0
    }

    /// Forgets all groups and keeps the memory.
    pub fn clear(&mut self) {
        match &mut self.table {
            Table::Single => {}
            Table::Dense(dense) => self.keys.iter().for_each(|&slot| *dense.id(slot) = NO_GROUP),
            Table::Hashed(table) => table.clear(),
        }
        self.keys.clear();
        self.groups = 0;
    }

    /// Takes the keys out and forgets all groups, keeping the table's memory.
    pub fn take_keys(&mut self) -> Keys {
        let keys = Keys {
            words: self.keys.clone(),
            groups: self.groups,
        };
        self.clear();
        keys
    }

    /// The only group of a shape without parts.
    pub fn single(&mut self) -> u32 {
        debug_assert_eq!(self.shape, Shape::Single);
        self.groups = 1;
        0
    }

    /// Groups of rows whose key parts are `parts`, one slice a part, each at least as long as `out`. `most` bounds the groups.
    pub fn assign(&mut self, parts: &[&[u64]], out: &mut [u32], most: u64) -> Result<()> {
        match &self.shape {
            Shape::Single => {
                out.fill(0);
                self.groups = 1;
                Ok(())
            }
            Shape::Dense(radices) => {
                let mut slots = [0u64; crate::column::BLOCK_ROWS];
                for (chunk, out) in out.chunks_mut(slots.len()).enumerate() {
                    let start = chunk * crate::column::BLOCK_ROWS;
                    let slots = &mut slots[..out.len()];
                    slots.copy_from_slice(&parts[0][start..][..out.len()]);
                    for (part, &radix) in parts[1..].iter().zip(&radices[1..]) {
                        for (slot, &part) in slots.iter_mut().zip(&part[start..]) {
                            *slot = *slot * radix + part;
                        }
                    }
                    dense(&mut self.table, &mut self.keys, &mut self.groups, slots, out);
                }
                self.check(most)
            }
            Shape::Hashed(_) => {
                for (row, out) in out.iter_mut().enumerate() {
                    *out = self.find_or_add(|part| parts[part][row])?;
                }
                self.check(most)
            }
        }
    }

    /// Groups of the keys of another grouper of this shape.
    pub fn adopt(&mut self, keys: &Keys, most: u64) -> Result<Vec<u32>> {
        let mut out = vec![0; keys.groups as usize];
        match self.shape {
            Shape::Single => self.groups = self.groups.max(keys.groups),
            Shape::Dense(_) => dense(&mut self.table, &mut self.keys, &mut self.groups, &keys.words, &mut out),
            Shape::Hashed(width) => {
                for (out, key) in out.iter_mut().zip(keys.words.chunks_exact(width)) {
                    *out = self.find_or_add(|part| key[part])?;
                }
            }
        }
        self.check(most)?;
        Ok(out)
    }

    /// Part of a group's key.
    pub fn part(&self, group: usize, part: usize) -> u64 {
        match &self.shape {
            Shape::Single => 0,
            Shape::Dense(radices) => {
                let below: u64 = radices[part + 1..].iter().product();
                self.keys[group] / below % radices[part]
            }
            Shape::Hashed(width) => self.keys[group * width + part],
        }
    }

    fn check(&self, most: u64) -> Result<()> {
        if u64::from(self.groups) > most {
            Err(too_many(most))
        } else {
            Ok(())
        }
    }

    fn find_or_add(&mut self, part: impl Fn(usize) -> u64) -> Result<u32> {
        let (Table::Hashed(table), Shape::Hashed(width)) = (&mut self.table, &self.shape) else {
            return Err(Error::internal("a hashed key in another table"));
        };
        let (width, keys) = (*width, &self.keys);
        let hash = hash_of((0..width).map(&part));
        let equal = |&group: &u32| {
            let key = &keys[group as usize * width..][..width];
            (0..width).all(|at| key[at] == part(at))
        };
        if let Some(&group) = table.find(hash, equal) {
            return Ok(group);
        }
        if self.groups == NO_GROUP - 1 {
            return Err(too_many(u64::from(NO_GROUP - 1)));
        }
        let group = self.groups;
        table.insert_unique(hash, group, |&group| {
            hash_of(keys[group as usize * width..][..width].iter().copied())
        });
        self.keys.extend((0..width).map(part));
        self.groups += 1;
        Ok(group)
    }
}

fn dense(table: &mut Table, keys: &mut Vec<u64>, groups: &mut u32, slots: &[u64], out: &mut [u32]) {
    let Table::Dense(dense) = table else {
        return;
    };
    for (out, &slot) in out.iter_mut().zip(slots) {
        let id = dense.id(slot);
        if *id == NO_GROUP {
            *id = *groups;
            *groups += 1;
            keys.push(slot);
        }
        *out = *id;
    }
}

/// The keys of a grouper, in order of group.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    words: Vec<u64>,
    groups: u32,
}

impl Keys {
    /// Number of groups.
    pub fn len(&self) -> usize {
        self.groups as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.groups == 0
    }

    /// The groups of each of so many partitions, a power of two, in order. Partitions depend on the key alone.
    pub fn partitions(&self, shape: &Shape, partitions: usize) -> Vec<Vec<u32>> {
        let mut groups = vec![Vec::with_capacity(self.len() / partitions + 8); partitions];
        let mut put = |group: usize, partition: usize| groups[partition].push(group as u32);
        match shape {
            Shape::Single => (0..self.len()).for_each(|group| put(group, 0)),
            Shape::Dense(_) => {
                let width = shape.slots().div_ceil(partitions as u64);
                let slots = self.words.iter().enumerate();
                slots.for_each(|(group, slot)| put(group, (slot / width) as usize));
            }
            Shape::Hashed(width) => {
                // The low bits choose the bucket of a table, the topmost its tag.
                let of = |key: &[u64]| (hash_of(key.iter().copied()) >> 40) as usize % partitions;
                let keys = self.words.chunks_exact(*width).enumerate();
                keys.for_each(|(group, key)| put(group, of(key)));
            }
        }
        groups
    }

    /// The keys of some of the groups, in this order.
    pub fn pick(&self, groups: &[u32]) -> Self {
        let width = self.words.len().checked_div(self.len()).unwrap_or(0);
        let mut words = Vec::with_capacity(groups.len() * width);
        for &group in groups {
            words.extend_from_slice(&self.words[group as usize * width..][..width]);
        }
        Self {
            words,
            groups: groups.len() as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_products_are_dense_and_others_hashed() {
        assert_eq!(Shape::of(&[], 10), Shape::Single);
        assert_eq!(Shape::of(&[Some(10), Some(7)], 1_000), Shape::Dense(vec![10, 7]));
        assert_eq!(Shape::of(&[Some(10), None], 1_000), Shape::Hashed(2));
        assert_eq!(Shape::of(&[Some(1 << 13), Some(1 << 13)], u64::MAX), Shape::Hashed(2));
        assert_eq!(Shape::of(&[Some(1 << 20)], 10), Shape::Hashed(1));
        assert_eq!(Shape::of(&[Some(u64::MAX), Some(u64::MAX)], u64::MAX), Shape::Hashed(2));
    }

    #[test]
    fn more_groups_than_allowed_are_refused() {
        for shape in [Shape::Dense(vec![100]), Shape::Hashed(1)] {
            let mut groups = Grouper::new(shape);
            let keys: Vec<u64> = (0..5).collect();
            let mut out = [0; 5];
            let error = groups.assign(&[&keys], &mut out, 4).unwrap_err();
            assert_eq!(error.reason(), "QUERY_GROUPS_EXCEEDED");
        }
    }

    proptest! {
        #[test]
        fn dense_and_hashed_number_groups_alike(
            rows in prop::collection::vec((0u64..7, 0u64..5), 0..200), cut: prop::sample::Index,
        ) {
            let (a, b): (Vec<u64>, Vec<u64>) = rows.iter().copied().unzip();
            let mut dense = Grouper::new(Shape::Dense(vec![7, 5]));
            let mut hashed = Grouper::new(Shape::Hashed(2));
            let (mut x, mut y) = (vec![0; rows.len()], vec![0; rows.len()]);
            dense.assign(&[&a, &b], &mut x, 100).unwrap();
            hashed.assign(&[&a, &b], &mut y, 100).unwrap();
            prop_assert_eq!(&x, &y);
            for (row, &group) in x.iter().enumerate() {
                for groups in [&dense, &hashed] {
                    prop_assert_eq!((groups.part(group as usize, 0), groups.part(group as usize, 1)), rows[row]);
                }
            }
            // Two lanes whose keys are adopted in order number groups as one pass does.
            for shape in [Shape::Dense(vec![7, 5]), Shape::Hashed(2)] {
                let (mut lane, mut merged) = (Grouper::new(shape.clone()), Grouper::new(shape));
                let cut = cut.index(rows.len() + 1);
                let mut numbers = Vec::new();
                for range in [0..cut, cut..rows.len()] {
                    let mut local = vec![0; range.len()];
                    lane.assign(&[&a[range.clone()], &b[range]], &mut local, 100).unwrap();
                    let map = merged.adopt(&lane.take_keys(), 100).unwrap();
                    numbers.extend(local.into_iter().map(|group| map[group as usize]));
                }
                prop_assert_eq!(&numbers, &x);
                prop_assert_eq!(merged.len(), dense.len());
            }
        }

        #[test]
        fn partitions_hold_each_group_once(rows in prop::collection::vec((0u64..7, 0u64..5), 0..200)) {
            let (a, b): (Vec<u64>, Vec<u64>) = rows.iter().copied().unzip();
            for shape in [Shape::Dense(vec![7, 5]), Shape::Hashed(2)] {
                let mut lane = Grouper::new(shape.clone());
                lane.assign(&[&a, &b], &mut vec![0; rows.len()], 100).unwrap();
                let keys = lane.take_keys();
                let of = keys.partitions(&shape, 4);
                let partitions = of.iter().enumerate().map(|(at, groups)| {
                    let mut partition = Grouper::of_partition(shape.clone(), at, 4);
                    for _ in 0..2 {
                        let found = partition.adopt(&keys.pick(groups), 100).unwrap();
                        assert!(found.iter().enumerate().all(|(at, &group)| at == group as usize));
                    }
                    partition
                });
                let joined = Grouper::joined(shape.clone(), partitions.collect::<Vec<_>>());
                let key = |group| (joined.part(group, 0), joined.part(group, 1));
                let found: std::collections::BTreeSet<_> = (0..joined.len()).map(key).collect();
                prop_assert_eq!(joined.len(), keys.len());
                prop_assert_eq!(found, rows.iter().copied().collect());
            }
        }
    }
}
