//! Aggregates of an opened part, read when they are first asked for.

use std::sync::Arc;

use super::aggregates::{Ends, Level, Nodes, TimeEnds};
use super::cache::{Kept, What};
use super::damaged;
use super::footer::Footer;
use super::header::Kind;
use super::open::{Part, PartColumn};
use crate::column::schema::ENTITY;
use crate::error::Result;

impl Part {
    /// A value of aggregates of a column; none: there is no such value.
    fn aggregates(&self, footer: &Footer, number: u32) -> Result<Option<&[u8]>> {
        let crc = footer.aggregates.get(number as usize);
        crc.map(|&crc| self.payload(Kind::Aggregates, footer.column, number, crc))
            .transpose()
    }

    fn load_time_ends(&self, entities: &Footer) -> Result<Option<TimeEnds>> {
        let Some(bytes) = self.aggregates(entities, 0)? else {
            return Ok(None);
        };
        let ends = TimeEnds::decode(bytes, self.runs()?.codes.len());
        // Levels beside those that the footer names would not be there.
        let ends = ends.filter(|ends| ends.widths.len() + 1 == entities.aggregates.len());
        ends.map(Some)
            .ok_or_else(|| damaged(&self.identity, "the ends of entities"))
    }

    fn load_level(&self, entities: &Footer, level: u32) -> Result<Option<Level>> {
        let Some(bytes) = self.aggregates(entities, level + 1)? else {
            return Ok(None);
        };
        Level::decode(bytes, self.rows())
            .map(Some)
            .ok_or_else(|| damaged(&self.identity, "a level of aggregates"))
    }

    fn load_ends(&self, footer: &Footer) -> Result<Option<Ends>> {
        let Some(bytes) = self.aggregates(footer, 0)? else {
            return Ok(None);
        };
        Ends::decode(bytes, footer.physical, self.runs()?.codes.len(), self.rows())
            .map(Some)
            .ok_or_else(|| damaged(&self.identity, "the ends of a column"))
    }

    fn load_nodes(&self, footer: &Footer, number: u32, level: &Level) -> Result<Option<Nodes>> {
        let Some(bytes) = self.aggregates(footer, number + 1)? else {
            return Ok(None);
        };
        Nodes::decode(bytes, footer.physical, level)
            .map(Some)
            .ok_or_else(|| damaged(&self.identity, "the aggregates of a column"))
    }

    /// Times of the ends of each entity's rows, and the widths of the levels of nodes; none: the part has no aggregates.
    pub fn time_ends(&self) -> Result<Option<Arc<TimeEnds>>> {
        let Some(entities) = self.column(ENTITY)?.filter(PartColumn::has_aggregates) else {
            return Ok(None);
        };
        let kept = self.cache.get(self.opened, What::TimeEnds, || {
            let ends = self.load_time_ends(&entities.footer)?;
            Ok(Kept::TimeEnds(Arc::new(ends.unwrap_or_default())))
        })?;
        Ok(match kept {
            Kept::TimeEnds(ends) => Some(ends),
            _ => None,
        })
    }

    /// A level of nodes, the widest being 0; none: there is no such level.
    pub fn level(&self, number: u32) -> Result<Option<Arc<Level>>> {
        let entities = self.column(ENTITY)?;
        let Some(entities) = entities.filter(|entities| entities.footer.aggregates.len() > number as usize + 1) else {
            return Ok(None);
        };
        let kept = self.cache.get(self.opened, What::Level(number), || {
            let level = self.load_level(&entities.footer, number)?;
            Ok(Kept::Level(Arc::new(level.unwrap_or_default())))
        })?;
        Ok(match kept {
            Kept::Level(level) => Some(level),
            _ => None,
        })
    }

    /// Aggregates are there for every footer that names them, and can be read.
    pub(super) fn verify_aggregates(&self, read: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
        let mut levels = Vec::new();
        for column in &self.root.columns {
            let footer = self.load_footer(column)?;
            if column.id == ENTITY {
                self.load_time_ends(&footer)?;
                for number in 1..footer.aggregates.len() as u32 {
                    levels.extend(self.load_level(&footer, number - 1)?);
                }
                continue;
            }
            self.load_ends(&footer)?;
            if footer.aggregates.len() > levels.len() + 1 {
                return Err(damaged(&self.identity, "aggregates of no level"));
            }
            for (number, level) in (0..).zip(&levels) {
                read(0)?;
                self.load_nodes(&footer, number, level)?;
            }
        }
        Ok(())
    }
}

impl PartColumn<'_> {
    /// Whether aggregates of it are kept.
    pub fn has_aggregates(&self) -> bool {
        !self.footer.aggregates.is_empty()
    }

    /// What is known of it at the ends of each entity's rows; none: it has no aggregates.
    pub fn ends(&self) -> Result<Option<Arc<Ends>>> {
        if !self.has_aggregates() || self.footer.column == ENTITY {
            return Ok(None);
        }
        let (part, what) = (self.part, What::Ends(self.footer.column));
        let kept = part.cache.get(part.opened, what, || {
            let ends = part.load_ends(&self.footer)?;
            Ok(Kept::Ends(Arc::new(ends.unwrap_or_default())))
        })?;
        Ok(match kept {
            Kept::Ends(ends) => Some(ends),
            _ => None,
        })
    }

    /// What is known of it in each node of a level of the part, which has this number; none: it has no aggregates of that level.
    pub fn nodes(&self, number: u32, level: &Level) -> Result<Option<Arc<Nodes>>> {
        if self.footer.aggregates.len() <= number as usize + 1 || self.footer.column == ENTITY {
            return Ok(None);
        }
        let (part, what) = (self.part, What::Nodes(self.footer.column, number));
        let kept = part.cache.get(part.opened, what, || {
            let nodes = part.load_nodes(&self.footer, number, level)?;
            Ok(Kept::Nodes(Arc::new(nodes.unwrap_or_default())))
        })?;
        Ok(match kept {
            Kept::Nodes(nodes) => Some(nodes),
            _ => None,
        })
    }
}
