//! The root of a part: what it is and the checksums of what it is made of.

use crate::codec::fields::Fields;
use crate::column::ColumnId;
use crate::column::packed::Physical;

/// A column of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct RootColumn {
    pub(super) id: ColumnId,
    pub(super) physical: Physical,
    /// crc32c of its footer.
    pub(super) footer_crc: u32,
    /// crc32c of its list of codes; 0 without one.
    pub(super) codes_crc: u32,
    /// Bytes of its blocks.
    pub(super) bytes: u64,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Root {
    pub(in crate::store) store_id: u128,
    pub(in crate::store) namespace: u32,
    pub(in crate::store) stream: u32,
    pub(in crate::store) part: u64,
    /// Start and width of its tile, nanoseconds.
    pub(in crate::store) tile: (i64, i64),
    pub(in crate::store) rows: u64,
    /// Least and greatest event time.
    pub(in crate::store) times: (i64, i64),
    /// First and next number of the L0 values whose rows it holds.
    pub(in crate::store) l0: (u64, u64),
    /// Greatest commit of its rows.
    pub(in crate::store) commit: u64,
    pub(in crate::store) schema_version: u64,
    pub(in crate::store) made_ns: i64,
    pub(in crate::store) blobs: u32,
    /// Time and entity first, the others ascending.
    pub(in crate::store) columns: Vec<RootColumn>,
    pub(in crate::store) runs_crc: u32,
}

impl Root {
    /// Appends it as it lies in the file.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut put = |bytes: &[u8]| out.extend_from_slice(bytes);
        put(&self.store_id.to_le_bytes());
        put(&self.namespace.to_le_bytes());
        put(&self.stream.to_le_bytes());
        put(&self.part.to_le_bytes());
        for value in [self.tile.0, self.tile.1, self.rows as i64, self.times.0, self.times.1] {
            put(&value.to_le_bytes());
        }
        for value in [self.l0.0, self.l0.1, self.commit, self.schema_version] {
            put(&value.to_le_bytes());
        }
        put(&self.made_ns.to_le_bytes());
        put(&self.blobs.to_le_bytes());
        put(&(self.columns.len() as u16).to_le_bytes());
        for column in &self.columns {
            put(&column.id.to_le_bytes());
            put(&[column.physical as u8, 0]);
            put(&column.footer_crc.to_le_bytes());
            put(&column.codes_crc.to_le_bytes());
            put(&column.bytes.to_le_bytes());
        }
        put(&self.runs_crc.to_le_bytes());
    }

    /// Reads it; none if the bytes are no root.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let store_id = u128::from_le_bytes(fields.take(16)?.try_into().ok()?);
        let mut root = Self {
            store_id,
            namespace: u32_of(&mut fields)?,
            stream: u32_of(&mut fields)?,
            part: u64_of(&mut fields)?,
            tile: (u64_of(&mut fields)? as i64, u64_of(&mut fields)? as i64),
            rows: u64_of(&mut fields)?,
            times: (u64_of(&mut fields)? as i64, u64_of(&mut fields)? as i64),
            l0: (u64_of(&mut fields)?, u64_of(&mut fields)?),
            commit: u64_of(&mut fields)?,
            schema_version: u64_of(&mut fields)?,
            made_ns: u64_of(&mut fields)? as i64,
            blobs: u32_of(&mut fields)?,
            columns: Vec::new(),
            runs_crc: 0,
        };
        for _ in 0..u16_of(&mut fields)? {
            root.columns.push(RootColumn {
                id: u16_of(&mut fields)?,
                physical: Physical::from_number(fields.byte()?)?,
                footer_crc: {
                    fields.byte().filter(|&byte| byte == 0)?;
                    u32_of(&mut fields)?
                },
                codes_crc: u32_of(&mut fields)?,
                bytes: u64_of(&mut fields)?,
            });
        }
        root.runs_crc = u32_of(&mut fields)?;
        let others = root.columns.get(2..)?;
        let is_sound = fields.is_empty()
            && (1..=u64::from(u32::MAX)).contains(&root.rows)
            && (root.columns[0].id, root.columns[0].physical) == (crate::column::schema::TIME, Physical::I64)
            && (root.columns[1].id, root.columns[1].physical) == (crate::column::schema::ENTITY, Physical::Code)
            && root.columns[1].id < others.first().map_or(u16::MAX, |column| column.id)
            && others.is_sorted_by(|left, right| left.id < right.id);
        is_sound.then_some(root)
    }
}

fn u16_of(fields: &mut Fields<'_>) -> Option<u16> {
    Some(u16::from_le_bytes(fields.take(2)?.try_into().ok()?))
}

fn u32_of(fields: &mut Fields<'_>) -> Option<u32> {
    Some(u32::from_le_bytes(fields.take(4)?.try_into().ok()?))
}

fn u64_of(fields: &mut Fields<'_>) -> Option<u64> {
    Some(u64::from_le_bytes(fields.take(8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_reads_back_whole() {
        let column = |id, physical| RootColumn {
            id,
            physical,
            footer_crc: 1,
            codes_crc: 2,
            bytes: 3,
        };
        let root = Root {
            store_id: 1 << 100,
            namespace: 1,
            stream: 2,
            part: 3,
            tile: (-60, 60),
            rows: 4,
            times: (i64::MIN, i64::MAX),
            l0: (5, 6),
            commit: 7,
            schema_version: 8,
            made_ns: -9,
            blobs: 10,
            columns: vec![
                column(0, Physical::I64),
                column(1, Physical::Code),
                column(7, Physical::Text),
            ],
            runs_crc: 11,
        };
        let mut bytes = Vec::new();
        root.encode(&mut bytes);
        assert_eq!(Root::decode(&bytes), Some(root));
        assert_eq!(Root::decode(&bytes[..bytes.len() - 1]), None);
        bytes.push(0);
        assert_eq!(Root::decode(&bytes), None);
    }
}
