//! One attempt to run a plan: the whole transaction in one message, or, where the answer decides whether a write stays, in two.

use std::borrow::Cow;

use behalf_host_db::bind;
use behalf_pgwire::{Answer as Rows, Step, WireError};
use behalf_rest_plan::{Access, End, Statement};

use super::super::identity::Identity;
use super::super::tool_pool::{Lease, SEARCH_PATH, text_row};
use super::{AppAnswer, AppError, AppRequest, AppRow};

/// Longer statements do not stay prepared: the server keeps text, tree and plan of each.
const MAX_KEPT_TEXT: usize = 8 * 1024;

/// A write with more bytes of parameters may have more to show than an answer may have, so its commit waits for the answer.
const SMALL_WRITE: usize = 64 * 1024;

/// Puts back what functions of the app may have set for the session instead of the transaction.
const RESET: &str = "RESET ALL";

/// What the attempts of one request share.
pub(super) struct Attempt<'a> {
    request: &'a AppRequest<'a>,
    identity: Identity<'a>,
    set_http: Option<[Cow<'static, str>; 4]>,
    /// None where the session has this path already.
    set_search_path: Option<String>,
    set_time_zone: Option<String>,
    pre_request: Option<Bound<'a>>,
    main: Bound<'a>,
    explain: Option<Bound<'a>>,
}

/// A statement with its parameters as they are sent.
struct Bound<'a> {
    text: &'a str,
    params: Vec<Option<Cow<'a, [u8]>>>,
}

impl<'a> Bound<'a> {
    fn new(statement: &'a Statement) -> Self {
        let params = statement.params().iter().map(|param| param.as_deref().map(Cow::Borrowed)).collect();
        Self { text: statement.text(), params }
    }

    fn step(&self) -> Step<'_> {
        Step { params: &self.params, ..Step::command(self.text, self.text.len() <= MAX_KEPT_TEXT) }
    }
}

/// Where the answers of the steps are.
#[derive(Default)]
struct Places {
    main: usize,
    explain: Option<usize>,
    identity: usize,
}

/// The statement that binds the caller's claims.
pub(super) fn binding_of(request: &AppRequest<'_>) -> String {
    bind::set_claims(request.principal)
}

impl<'a> Attempt<'a> {
    pub(super) fn new(request: &'a AppRequest<'a>, set_claims: &'a str) -> Self {
        let plan = request.plan;
        Self {
            request,
            identity: Identity::new(request.principal, set_claims, plan.access == Access::Write),
            set_http: request.http.as_ref().map(bind::set_http_request),
            set_search_path: (request.search_path != SEARCH_PATH.as_slice())
                .then(|| bind::set_search_path(request.search_path.iter().copied())),
            set_time_zone: plan.time_zone.as_deref().and_then(bind::set_time_zone),
            pre_request: plan.pre_request.as_ref().map(Bound::new),
            main: Bound::new(&plan.main),
            explain: plan.explain.as_ref().map(Bound::new),
        }
    }

    /// Runs the plan. After an error the transaction is failed or its connection closed; dropping the lease ends it.
    pub(super) async fn run(&self, lease: &mut Lease) -> Result<AppAnswer, AppError> {
        let plan = self.request.plan;
        let bytes: usize = self.main.params.iter().flatten().map(|value| value.len()).sum();
        let in_two = plan.access == Access::Write && (plan.may_refuse() || bytes > SMALL_WRITE);
        let (mut steps, places) = self.steps();
        if !in_two {
            for step in self.end() {
                steps.push(step);
            }
        }
        let result = lease.conn()?.run(&steps, self.request.limits.max_bytes).await;
        let commits = !in_two && self.commits();
        let answers = result.map_err(|error| {
            let failed = self.identity.failed(lease, places.identity, error);
            if commits { failed.of_commit() } else { failed }
        })?;
        let transaction = self.identity.check(lease, answers.get(places.identity))?;
        let answered = self.answered(answers, &places, transaction);
        if in_two {
            // Where the answer is refused the lease is dropped, which rolls back.
            let answered = answered?;
            let ended = lease.conn()?.run(&self.end(), 0).await.map_err(AppError::from);
            return match ended {
                Ok(_) => Ok(answered),
                Err(error) => Err(if self.commits() { error.of_commit() } else { error }),
            };
        }
        answered
    }

    /// Whether its end makes writes stay.
    fn commits(&self) -> bool {
        self.request.plan.access == Access::Write && self.request.plan.ends == End::Commit
    }

    /// Ends the transaction, and what its functions may have left in the session.
    fn end(&self) -> Vec<Step<'static>> {
        let plan = self.request.plan;
        let end = Step::command(if plan.ends == End::Commit { "COMMIT" } else { "ROLLBACK" }, true);
        [end].into_iter().chain(plan.may_change_settings().then(|| Step::command(RESET, true))).collect()
    }

    fn steps(&self) -> (Vec<Step<'_>>, Places) {
        let mut steps = Vec::with_capacity(14);
        steps.extend(self.identity.begin());
        for text in self.set_http.iter().flatten() {
            steps.push(Step::command(text, matches!(text, Cow::Borrowed(_))));
        }
        steps.extend(self.set_search_path.as_deref().map(|text| Step::command(text, true)));
        steps.extend(self.set_time_zone.as_deref().map(|text| Step::command(text, false)));
        steps.extend(self.pre_request.as_ref().map(Bound::step));
        let mut places = Places { main: steps.len(), ..Places::default() };
        steps.push(self.main.step());
        if let Some(explain) = &self.explain {
            places.explain = Some(steps.len());
            steps.push(explain.step());
        }
        steps.extend(self.identity.steps());
        places.identity = steps.len() - 1;
        (steps, places)
    }

    fn answered(
        &self,
        mut answers: Vec<Rows>,
        places: &Places,
        transaction: Option<String>,
    ) -> Result<AppAnswer, AppError> {
        let plan = self.request.plan;
        let too_large = || AppError::TooLarge(self.request.limits.max_bytes);
        let explained = places.explain.and_then(|place| AppRow::Row(answers.get_mut(place)?.rows.pop()?).bytes(0));
        let main = answers.get_mut(places.main).ok_or(WireError::Protocol("an answer is missing"))?;
        if main.truncated {
            return Err(too_large());
        }
        let row = if plan.gives_lines() {
            AppRow::Lines(lines(main).into())
        } else {
            AppRow::Row(main.rows.pop().ok_or(WireError::Protocol("a plan returned no row"))?)
        };
        let answer = plan.answer(&row.columns(), explained.as_deref())?;
        Ok(AppAnswer { answer, row, transaction })
    }
}

/// The first column of all rows, a line each.
fn lines(rows: &Rows) -> String {
    let lines = rows.rows.iter().filter_map(text_row::<1>).map(|[line]| line);
    lines.collect::<Vec<_>>().join("\n")
}
