//! Chooses the ordered index for a filter. An index narrows down the candidates and never decides: it gives a
//! superset of the matching entries, and the filter decides.
//!
//! An index stores numbers as doubles, so a bound other than a small whole number is widened by more than the
//! largest rounding error.

use std::cmp::Ordering;
use std::ops::Range;

use super::definition::named;
use super::definition::{OrderedSpec, ordered_definition_of};
use super::filter::typed::Typed;
use super::filter::{Anchor, Filter, Operand, Path, Test, path_of};
use crate::base::error::Result;
use crate::base::limits::MAX_INDEXED_KEYS;
use crate::engine::answer::Answer;
use crate::store::rows::index::{IndexKind, IndexRow, IndexValue, IndexedEntry, OrderedIndex, OrderedScan};
use crate::store::{ReadTxn, Want};

/// Combinations of the values of all `$in` that are looked up at most; more are not worth it.
const MAX_LOOKUPS: usize = 1000;
/// Whole numbers up to this size are exact as doubles.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Relative: more than text and doubles may differ by.
const SLACK: f64 = 1e-14;

/// The scans of an index that together give every entry of a range that can match.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The index.
    pub index: IndexRow,
    /// One for each value of an `$in`; else one.
    pub scans: Vec<OrderedScan>,
}

/// The best index for a filter: the one with the most constrained fields.
pub fn plan(txn: &mut dyn ReadTxn, range: &Range<Vec<u8>>, filter: &Filter) -> Result<Option<Plan>> {
    let indexes = txn.indexes()?;
    if !indexes.iter().any(|index| index.kind == IndexKind::Ordered) {
        return Ok(None);
    }
    let mut tests = Vec::new();
    gather(filter, &mut tests);
    let (now_ms, mut best, mut most) = (txn.now_ms(), None, 0);
    for row in indexes.into_iter().filter(|index| index.kind == IndexKind::Ordered) {
        let (spec, index) = ordered_definition_of(&row)?;
        if !holds(&index.range, range) {
            continue;
        }
        let (scans, bound) = scans_of(&row, &spec, &index, &tests, range, now_ms)?;
        if bound > most {
            most = bound;
            best = Some(Plan { index: row, scans });
        }
    }
    Ok(best)
}

fn holds(index: &Range<Vec<u8>>, range: &Range<Vec<u8>>) -> bool {
    index.start <= range.start && range.end <= index.end
}

/// The tests that each match must pass.
fn gather<'a>(filter: &'a Filter, tests: &mut Vec<(&'a Path, &'a Test)>) {
    match filter {
        Filter::And(all) => all.iter().for_each(|one| gather(one, tests)),
        Filter::At(path, test) => tests.push((path, test)),
        Filter::Or(_) | Filter::Not(_) => {}
    }
}

/// The values of a field that can pass a test, in the index's order.
enum Bound {
    /// These alone.
    Values(Vec<IndexValue>),
    /// From the first to the second, both included.
    Between(IndexValue, IndexValue),
}

fn scans_of(
    row: &IndexRow,
    spec: &OrderedSpec,
    index: &OrderedIndex,
    tests: &[(&Path, &Test)],
    range: &Range<Vec<u8>>,
    now_ms: i64,
) -> Result<(Vec<OrderedScan>, usize)> {
    let first = OrderedScan {
        id: row.id,
        paths: index.paths.clone(),
        within: index.range.clone(),
        equal: Vec::new(),
        between: None,
        range: range.clone(),
        limit: 0,
    };
    let (mut scans, mut bound) = (vec![first], 0);
    for name in &spec.on {
        let path = path_of(name.as_bytes())?;
        let bounds: Vec<Bound> = tests
            .iter()
            .filter(|(at, _)| **at == path)
            .filter_map(|(_, test)| bound_of(test, now_ms))
            .collect();
        let values = bounds.iter().find_map(|bound| match bound {
            Bound::Values(values) if values.len() * scans.len() <= MAX_LOOKUPS => Some(values),
            _ => None,
        });
        if let Some(values) = values {
            scans = scans
                .into_iter()
                .flat_map(|scan| {
                    values.iter().map(move |value| {
                        let mut longer = scan.clone();
                        longer.equal.push(value.clone());
                        longer
                    })
                })
                .collect();
            bound += 2;
            continue;
        }
        let between = bounds.into_iter().filter_map(|bound| match bound {
            Bound::Between(low, high) => Some((low, high)),
            Bound::Values(_) => None,
        });
        if let Some(between) = between.reduce(narrower) {
            scans.iter_mut().for_each(|scan| scan.between = Some(between.clone()));
            bound += 1;
        }
        break;
    }
    Ok((scans, bound))
}

/// Both hold.
fn narrower(one: (IndexValue, IndexValue), two: (IndexValue, IndexValue)) -> (IndexValue, IndexValue) {
    let low = if one.0 < two.0 { two.0 } else { one.0 };
    let high = if one.1 > two.1 { two.1 } else { one.1 };
    (low, high)
}

fn bound_of(test: &Test, now_ms: i64) -> Option<Bound> {
    match test {
        Test::Equal(operand) => equal_to(operand, now_ms),
        Test::In(among) => {
            let each = among.operands().map(|operand| match equal_to(&operand, now_ms)? {
                Bound::Values(values) => Some(values),
                Bound::Between(..) => None,
            });
            each.collect::<Option<Vec<_>>>().map(|values| Bound::Values(values.concat()))
        }
        Test::Order(orders, operand) => {
            let (low, high) = around(operand, now_ms)?;
            let (least, greatest) = low.kind_ends();
            Some(if orders.contains(&Ordering::Greater) {
                Bound::Between(low, greatest)
            } else {
                Bound::Between(least, high)
            })
        }
        Test::Between(from, to) => {
            let ((low, _), (_, high)) = (around(from, now_ms)?, around(to, now_ms)?);
            Some(Bound::Between(low, high))
        }
        Test::Text(Anchor::Start, Typed::String(text)) => {
            let text = std::str::from_utf8(text).ok()?;
            let end = next_text(text).map_or(IndexValue::AfterText, IndexValue::Text);
            Some(Bound::Between(IndexValue::Text(text.into()), end))
        }
        _ => None,
    }
}

/// The least text that sorts after every text with this prefix.
fn next_text(text: &str) -> Option<String> {
    let mut letters: Vec<char> = text.chars().collect();
    while let Some(last) = letters.pop() {
        // After the last letter before the surrogates comes the first one after them.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            letters.push(next);
            return Some(letters.into_iter().collect());
        }
    }
    None
}

fn equal_to(operand: &Operand, now_ms: i64) -> Option<Bound> {
    if let Operand::Value(Typed::Bool(flag)) = operand {
        return Some(Bound::Values(vec![IndexValue::Flag(*flag)]));
    }
    let (low, high) = around(operand, now_ms)?;
    Some(if low == high { Bound::Values(vec![low]) } else { Bound::Between(low, high) })
}

/// The least and the greatest value in the index that may be equal to an operand.
#[allow(clippy::cast_precision_loss)]
fn around(operand: &Operand, now_ms: i64) -> Option<(IndexValue, IndexValue)> {
    let number = match operand {
        Operand::Now(offset_ms) => now_ms as f64 + offset_ms,
        Operand::Value(Typed::Number(number) | Typed::Date(number)) => *number,
        Operand::Value(Typed::BigInt(int)) => int.to_f64()?,
        Operand::Value(Typed::String(text)) => {
            let text = IndexValue::Text(std::str::from_utf8(text).ok()?.into());
            return Some((text.clone(), text));
        }
        Operand::Value(_) => return None,
    };
    if number.is_nan() {
        return None;
    }
    let is_exact = number.is_infinite() || (number.fract() == 0.0 && number.abs() < EXACT);
    let slack = if is_exact { 0.0 } else { number.abs() * SLACK };
    Some((IndexValue::Number(number - slack), IndexValue::Number(number + slack)))
}

/// The candidates of a plan, in the order of their keys; `None` if there are more than `most`.
pub fn entries_of(txn: &mut dyn ReadTxn, plan: &Plan, most: usize) -> Result<Option<Vec<IndexedEntry>>> {
    let (mut entries, mut looked) = (Vec::new(), 0);
    let limited = |scan: &OrderedScan| OrderedScan { limit: most + 1, ..scan.clone() };
    txn.prefetch(&mut plan.scans.iter().map(|scan| Want::OrderedScan(limited(scan))));
    for scan in &plan.scans {
        let scan = limited(scan);
        txn.scan_index(&scan, &mut |entry| {
            looked += 1;
            if scan.range.contains(&entry.key) {
                entries.push(entry);
            }
        })?;
        if looked > most {
            return Ok(None);
        }
    }
    // Two values of an `$in` may be the same in the index.
    entries.sort_unstable();
    entries.dedup();
    Ok(Some(entries))
}

/// Explains how a filter would be answered.
pub fn explain(txn: &mut dyn ReadTxn, range: &Range<Vec<u8>>, filter: &Filter) -> Result<Answer> {
    txn.prefetch(&mut [Want::Indexes, Want::Count(range)].into_iter());
    let plan = plan(txn, range, filter)?;
    let found = plan.as_ref().map_or(Ok(None), |plan| entries_of(txn, plan, MAX_INDEXED_KEYS))?;
    let entries = txn.count(range)?;
    let index = plan.zip(found).map(|(plan, found)| (named(plan.index), found.len() as u64));
    Ok(Answer::Plan { index, entries })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::query::filter::decimal::Decimal;

    /// Seen to fail: with no slack; with whole numbers widened too.
    #[test]
    fn a_bound_is_widened_unless_it_is_a_small_whole_number() {
        let of = |value: Typed<'static>| match around(&Operand::Value(value), 0) {
            Some((IndexValue::Number(low), IndexValue::Number(high))) => (low, high),
            other => panic!("{other:?}"),
        };
        for exact in [0.0, -7.0, EXACT - 1.0, f64::INFINITY] {
            assert_eq!(of(Typed::Number(exact)), (exact, exact));
        }
        let big = Decimal::parse("1208925819614629174706177").unwrap();
        for (value, near) in [(Typed::Number(0.1), 0.1), (Typed::BigInt(big), 2f64.powi(80))] {
            let (low, high) = of(value);
            assert!(low < near && near < high && high - low < near * 1e-12, "{low} {near} {high}");
        }
    }

    #[test]
    fn the_text_after_all_that_begin_with_one() {
        assert_eq!(next_text("ab").as_deref(), Some("ac"));
        assert_eq!(next_text("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(next_text("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(next_text("\u{10ffff}"), None);
    }
}
