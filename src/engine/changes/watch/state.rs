//! The current state of the watched keys, page by page.

use std::ops::Range;

use crate::base::error::Result;
use crate::base::limits::{MAX_INLINE_BYTES, MAX_PAGE_BYTES, MAX_WATCH_BATCH_KEYS};
use crate::codec::key;
use crate::codec::page::Page;
use crate::engine::answer::{INLINE_BUDGET, entry_of};
use crate::engine::changes::followers::{Reach, Target};
use crate::engine::query::range::after_key;
use crate::store::{Flow, ReadTxn, Scan, Want};

pub fn is_full(page: &Page) -> bool {
    page.len() >= MAX_WATCH_BATCH_KEYS || page.size_bytes() >= MAX_PAGE_BYTES
}

pub enum Listed {
    /// The target ends here.
    All,
    /// The page is full; the next one begins after this key.
    Until(Vec<u8>),
    WouldBlock,
}

/// The targets that are announced at a time.
const ANNOUNCED_TARGETS: usize = 64;

/// Announces the reads of `list` for the next targets, for the first of them after a key.
pub fn announce(txn: &mut dyn ReadTxn, targets: &[Target], after: Option<&[u8]>, inline: bool) {
    let afters = std::iter::once(after).chain(std::iter::repeat(None));
    let wants =
        targets.iter().zip(afters).take(ANNOUNCED_TARGETS).map(|(target, after)| match target.reach {
            Reach::Exact => Want::Entry(&target.key, most_bytes(inline)),
            _ => Want::Scan(scan_of(target, after, inline)),
        });
    txn.prefetch(&mut { wants });
}

fn most_bytes(inline: bool) -> usize {
    if inline { MAX_INLINE_BYTES } else { usize::MAX }
}

fn scan_of(target: &Target, after: Option<&[u8]>, inline: bool) -> Scan {
    let range = match after {
        Some(last) => after_key(range_of(target), last, false),
        None => range_of(target),
    };
    Scan {
        range,
        reverse: false,
        keys_only: false,
        limit: MAX_WATCH_BATCH_KEYS + 1,
        max_value_bytes: most_bytes(inline),
        within: inline.then_some(INLINE_BUDGET),
    }
}

/// Appends the entries of a target. An exact key is reported even if it has no entry.
pub fn list(
    txn: &mut dyn ReadTxn,
    target: &Target,
    after: Option<Vec<u8>>,
    page: &mut Page,
    inline: bool,
) -> Result<Listed> {
    let mut withheld = false;
    if target.reach == Reach::Exact {
        let now = txn.now_ms();
        txn.get(&target.key, most_bytes(inline), &mut |row| {
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
    let scan = scan_of(target, after.as_deref(), inline);
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
