//! Law 2, mechanically: an action runs once with a fault at each of its statements, and must have done all or
//! nothing.

use keyval::base::error::{Code, Result};
use keyval::engine::commit::{Commit, Outcome};
use keyval::engine::request::Write;
use keyval::kv::Kv;

use super::fault::{CODES, Plan};
use super::raw::RawState;
use super::template::Template;
use super::{is_definite, try_commit, write};

/// A failing ROLLBACK has a test of its own.
pub const ROLLBACK: &str = "ROLLBACK";

/// The operation that a test repeats on copies of a file.
pub type Action<'a> = &'a dyn Fn(&mut Kv) -> Result<Option<Outcome>>;

/// The result of an action without a fault.
pub struct Clean {
    pub outcome: std::result::Result<Option<Outcome>, Code>,
    pub state: RawState,
    pub steps: Vec<String>,
}

fn ended(result: Result<Option<Outcome>>) -> std::result::Result<Option<Outcome>, Code> {
    result.map_err(|error| error.code)
}

pub fn clean(template: &Template, action: Action) -> Clean {
    let mut copy = template.copy();
    copy.trap.arm(Plan::Watch);
    let outcome = ended(action(&mut copy.kv));
    let steps = copy.trap.disarm().steps;
    Clean { outcome, state: copy.close(), steps }
}

/// Fails each step of the action once, and all steps from each one on, with each code.
///
/// The clock is frozen and the copies are identical, so two runs with the same effect give equal states down
/// to the versionstamps: "nothing" includes the clock's row and the numbers of the change log.
pub fn all_or_nothing(name: &str, template: &Template, action: Action) {
    let clean = clean(template, action);
    assert!(clean.steps.len() > 2, "{name}: too few steps to be true: {:?}", clean.steps);
    for (at, sql) in clean.steps.iter().enumerate().filter(|(_, sql)| *sql != ROLLBACK) {
        for code in CODES {
            for plan in [Plan::At(at, code), Plan::From(at, code)] {
                one_fault(&format!("{name}, {plan:?}, {sql}"), template, action, &clean, plan);
            }
        }
    }
}

pub fn one_fault(label: &str, template: &Template, action: Action, clean: &Clean, plan: Plan) {
    let mut copy = template.copy();
    copy.trap.arm(plan);
    let result = action(&mut copy.kv);
    let trace = copy.trap.disarm();
    let unknown = trace.first_failed().expect(label) == "COMMIT" && plan.outlasts_a_commit();
    assert_eq!(result.as_ref().is_err_and(|error| !is_definite(error)), unknown, "{label}: {result:?}");
    let state = copy.state();
    match &result {
        Ok(_) => assert_eq!((&state, ended(result)), (&clean.state, clean.outcome.clone()), "{label}: Ok"),
        Err(error) if is_definite(error) => assert_eq!(state, template.state, "{label}: {error}"),
        Err(_) => assert!(state == template.state || state == clean.state, "{label}: {state:?}"),
    }
    if state == template.state {
        // The fault is over: the same action now has its normal outcome.
        assert_eq!(ended(action(&mut copy.kv)), clean.outcome, "{label}: afterwards");
    }
    assert_eq!(copy.close(), clean.state, "{label}: after opening again");
}

pub fn all_or_nothing_of(name: &str, template: &Template, what: Commit) {
    all_or_nothing(name, template, &|kv| try_commit(kv, what.clone()).map(Some));
}

pub fn all_or_nothing_write(name: &str, template: &Template, what: &Write) {
    all_or_nothing(name, template, &|kv| write(kv, what.clone()).map(|_| None));
}
