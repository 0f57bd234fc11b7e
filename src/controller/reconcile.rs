//! The way of one reference: observe, ask if a look is due, plan, carry out.
//!
//! Owns the order, and what becomes of a write that failed. Must not know how any step is done. The
//! invariant that would break first: nobody may use the answer about an old target while a new one is
//! being asked.

use super::held::Held;
use super::report::Named;
use super::{ApiError, Context, act, look, observe};
use crate::plan::{self, Due, Look, Provided};
use kube::runtime::controller::Action;
use std::sync::Arc;
use tracing::warn;

/// Reconciles, and counts it.
pub(super) async fn counted(held: Arc<Held>, context: Arc<Context>) -> Result<Action, ApiError> {
    #[cfg(test)]
    super::simulation::turn(&Named(held.as_ref())).await;
    let work = Box::pin(reconcile(held, context.clone()));
    let (metrics, health) = (&context.metrics, &context.health);
    metrics.reconcile(health, "ImageRef", work).await
}

#[tracing::instrument(level = "debug", skip_all, fields(object = %Named(held.as_ref())))]
async fn reconcile(held: Arc<Held>, context: Arc<Context>) -> Result<Action, ApiError> {
    let object = match held.unpack() {
        Ok(object) => Arc::new(object),
        Err(why) => {
            // Nothing may be planned for an object that is not known.
            tracing::error!(object = %Named(held.as_ref()), why, "an ImageRef is left alone until it changes");
            return Ok(Action::await_change());
        }
    };
    drop(held);
    if object.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    if let Some(wait) = context.memories.put_off(&object) {
        return Ok(Action::requeue(wait));
    }
    let object = observe::with_stored_status(&context, object).await?;
    let Some(observed) = observe::provider_of(&context, &object).await else {
        return Ok(Action::requeue(context.memories.turned_away(&object)));
    };
    let now = context.now();
    let memory = context.memories.enter(&object, observed.version, now);
    let status = context.unkept.complete(&object);
    let subject = act::subject(&object);
    let mut object = object;
    let look = match plan::due(
        &subject.object(&object),
        &observed.provided,
        &status,
        &memory,
        now,
    ) {
        Due::At(_) | Due::Never => Look::NotDue,
        Due::Now => match (&observed.provided, &observed.signed_in) {
            (Provided::Unavailable { failure, .. }, _) | (_, Some(Err(failure))) => {
                Look::Failed(failure.clone())
            }
            (Provided::Target { target, .. }, Some(Ok(signed_in))) => {
                // Nobody may use the old target's answer while the new one is being asked.
                if status
                    .resolved_for
                    .as_ref()
                    .is_some_and(|r| *r != target.resolved_for(&object.spec.source))
                {
                    object = act::conclude(&context, object, &observed.provided, Look::Pending)
                        .await?
                        .object;
                }
                let question = target.resolved_for(&object.spec.source);
                match context.memories.take_unwritten(&object, &question, now) {
                    // The last write failed; what the platform said still holds.
                    Some(look) => look,
                    None => {
                        match look::look(&context, &object, &observed.provided, target, signed_in)
                            .await
                        {
                            Some(look) => look,
                            None => {
                                return Ok(Action::requeue(context.memories.turned_away(&object)));
                            }
                        }
                    }
                }
            }
            (Provided::Target { .. }, None) => Look::NotDue,
        },
    };
    let concluded = act::conclude(&context, object, &observed.provided, look).await?;
    Ok(concluded
        .requeue
        .map_or_else(Action::await_change, Action::requeue))
}

/// The API server refused a write or was away: again, later each time.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the controller passes its context so"
)]
pub(super) fn retry(held: Arc<Held>, error: &ApiError, context: Arc<Context>) -> Action {
    let wait = context.memories.write_failed(held.key());
    warn!(
        object = %Named(held.as_ref()),
        %error,
        retry_in_seconds = wait.as_secs(),
        "the ImageRef could not be written"
    );
    Action::requeue(wait)
}
