//! Whom this broker tells its loads, and in which form.
//!
//! Brokers of earlier versions refuse the later forms of a report, and who decides may be one of
//! them.
//!
//! Must always hold: where another one decides, its first answer leads back to the newest form, so
//! that an upgraded cluster has no other.

use bytes::Bytes;

use super::report::Form;
use crate::cluster::AskError;

/// The office that is told.
#[derive(Debug)]
pub(super) struct Addressee {
    /// The one that has answered last.
    office: Option<u64>,
    /// What it takes, as far as is known.
    form: Form,
}

impl Default for Addressee {
    fn default() -> Self {
        Self { office: None, form: Form::NEWEST }
    }
}

impl Addressee {
    pub(super) fn office(&self) -> Option<u64> {
        self.office
    }

    /// Notes who has answered. Answers whether it is the one that was told before.
    pub(super) fn is_still(&mut self, office: u64) -> bool {
        let is_same = self.office.replace(office) == Some(office);
        if !is_same {
            self.form = Form::NEWEST;
        }
        is_same
    }

    /// Tells a report, and where its form is refused tells it in the one before; the answer.
    pub(super) async fn tell(
        &mut self,
        ask: impl AsyncFn(Form) -> Result<Bytes, AskError>,
    ) -> Option<Bytes> {
        for _ in 0..Form::COUNT {
            match ask(self.form).await {
                Err(AskError::Refused(_)) => self.form = self.form.before(),
                answer => return answer.ok(),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::Form::{Bare, Counted, InParts};
    use super::*;

    /// Tells a report to who takes these forms; which were tried, and whether it was taken.
    fn told(
        addressee: &mut Addressee,
        known: &[Form],
        other: Option<AskError>,
    ) -> (Vec<Form>, bool) {
        let tried = RefCell::default();
        let ask = async |form| {
            Vec::push(&mut tried.borrow_mut(), form);
            let refused = AskError::Refused("the call isn't known".to_owned());
            let error = other.clone().unwrap_or(refused);
            known.contains(&form).then(Bytes::new).ok_or(error)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer = runtime.block_on(addressee.tell(ask));
        (tried.into_inner(), answer.is_some())
    }

    #[test]
    fn a_report_is_told_in_the_newest_form_that_the_other_side_takes() {
        for (known, tried) in [
            (&[Bare, InParts, Counted][..], &[Counted][..]),
            (&[InParts], &[Counted, InParts]),
            (&[Bare], &[Counted, InParts, Bare]),
        ] {
            let mut addressee = Addressee::default();
            assert_eq!(told(&mut addressee, known, None), (tried.to_vec(), true));
            let last = tried[tried.len() - 1];
            assert_eq!(told(&mut addressee, known, None), (vec![last], true), "it is known");
        }
        let mut nobody = Addressee::default();
        assert_eq!(told(&mut nobody, &[], None), (vec![Counted, InParts, Bare], false));
    }

    #[test]
    fn who_does_not_answer_has_not_refused_a_form() {
        let mut addressee = Addressee::default();
        for error in [AskError::Nobody, AskError::Unknown] {
            assert_eq!(told(&mut addressee, &[], Some(error)), (vec![Counted], false));
        }
    }

    #[test]
    fn another_office_is_told_in_the_newest_form_again() {
        let mut addressee = Addressee::default();
        assert!(!addressee.is_still(1));
        assert!(told(&mut addressee, &[Bare], None).1);
        assert!(addressee.is_still(1));
        assert_eq!(told(&mut addressee, &[Bare], None).0, [Bare]);
        assert!(!addressee.is_still(2));
        assert_eq!(told(&mut addressee, &[Bare, InParts, Counted], None).0, [Counted]);
    }
}
