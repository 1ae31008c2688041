//! The present state of what is watched, page by page.

use std::ops::Range;

use crate::base::error::Result;
use crate::base::limits::{MAX_INLINE_BYTES, MAX_PAGE_BYTES, MAX_WATCH_BATCH_KEYS};
use crate::codec::key;
use crate::codec::page::Page;
use crate::engine::answer::{INLINE_BUDGET, entry_of};
use crate::engine::changes::followers::{Reach, Target};
use crate::engine::query::range::after_key;
use crate::store::{Flow, ReadTxn, Scan};

pub fn is_full(page: &Page) -> bool {
    page.len() >= MAX_WATCH_BATCH_KEYS || page.size_bytes() >= MAX_PAGE_BYTES
}

pub enum Listed {
    /// The target ends here.
    All,
    /// The page is full; it goes on after this key.
    Until(Vec<u8>),
    WouldBlock,
}

/// Appends the entries of a target. An exact key is reported even if it has no entry.
pub fn list(
    txn: &mut dyn ReadTxn,
    target: &Target,
    after: Option<Vec<u8>>,
    page: &mut Page,
    inline: bool,
) -> Result<Listed> {
    let max_value_bytes = if inline { MAX_INLINE_BYTES } else { usize::MAX };
    let mut withheld = false;
    if target.reach == Reach::Exact {
        let now = txn.now_ms();
        txn.get(&target.key, max_value_bytes, &mut |row| {
            let live = row.filter(|row| row.is_live(now));
            withheld = live.is_some_and(|row| row.withheld);
            if withheld {
                Ok(())
            } else {
                page.push_watched(&target.key, live.as_ref().map(entry_of).as_ref())
            }
        })?;
        return Ok(if withheld { Listed::WouldBlock } else { Listed::All });
    }
    let range = match after {
        Some(last) => after_key(range_of(target), &last, false),
        None => range_of(target),
    };
    let limit = MAX_WATCH_BATCH_KEYS + 1;
    let within = inline.then_some(INLINE_BUDGET);
    let scan = Scan { range, reverse: false, keys_only: false, limit, max_value_bytes, within };
    let (mut last, mut full) = (Vec::new(), false);
    txn.scan(&scan, &mut |row| {
        full = is_full(page);
        withheld = row.withheld;
        if withheld || full {
            return Ok(Flow::Stop);
        }
        page.push_watched(row.key, Some(&entry_of(&row)))?;
        last = row.key.to_vec();
        Ok(Flow::Continue)
    })?;
    Ok(match (withheld, full) {
        (true, false) => Listed::WouldBlock,
        (_, true) => Listed::Until(last),
        _ => Listed::All,
    })
}

fn range_of(target: &Target) -> Range<Vec<u8>> {
    match target.reach {
        Reach::Under if target.key.is_empty() => Vec::new()..vec![0xff],
        Reach::Under => key::descendants(&target.key),
        _ => key::tree(&target.key),
    }
}
