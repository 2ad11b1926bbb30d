//! [`Customers`]: a service that is asked for each order, slow and not always there.
//!
//! It stands for a request over the network: an answer takes some milliseconds, so many are
//! waited for at once, and one in fifty first requests for an order gets none. That is no
//! fault of the order: it is worth another attempt.

use std::time::Duration;

use tokio::time::sleep;

/// How many customers there are: `c-0000` to `c-0999`.
pub(crate) const CUSTOMERS: u32 = 1_000;
/// One in so many first requests gets no answer.
const UNANSWERED: u32 = 50;

const NAMES: [&str; 8] = [
    "Ada", "Blaise", "Carl", "Emmy", "Grace", "Kurt", "Niklaus", "Sofia",
];
const COUNTRIES: [&str; 5] = ["DE", "FR", "GB", "JP", "US"];

/// What the service knows of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Customer {
    pub(crate) name: String,
    pub(crate) country: &'static str,
}

/// The service has not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("customer service: no answer")]
pub(crate) struct NoAnswer;

/// The customer service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Customers;

impl Customers {
    /// Finds a customer for an order, in the given delivery of it.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`], which depends on the order and the delivery alone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub(crate) async fn find(
        self,
        customer: &str,
        order: &str,
        delivery: u32,
    ) -> Result<Option<Customer>, NoAnswer> {
        let lot = crc32fast::hash(order.as_bytes());
        sleep(Duration::from_millis(2 + u64::from(lot % 5))).await;
        if delivery == 1 && lot.is_multiple_of(UNANSWERED) {
            return Err(NoAnswer);
        }
        Ok(known(customer))
    }
}

fn known(customer: &str) -> Option<Customer> {
    let number: u32 = customer.strip_prefix("c-")?.parse().ok()?;
    let pick = |from: &[&'static str]| from.get(number as usize % from.len()).copied();
    (number < CUSTOMERS).then_some(())?;
    Some(Customer {
        name: format!("{} {number}", pick(&NAMES)?),
        country: pick(&COUNTRIES)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn some_first_requests_fail_and_all_second_ones_are_answered() {
        let mut unanswered = 0;
        for order in 0..1_000 {
            let order = format!("order {order}");
            if Customers.find("c-0007", &order, 1).await.is_err() {
                unanswered += 1;
            }
            let second = Customers.find("c-0007", &order, 2).await;
            assert_eq!(second.unwrap().unwrap().country, "GB");
        }
        assert!((5..60).contains(&unanswered), "{unanswered}");
    }

    #[test]
    fn customers_have_numbers_below_a_thousand() {
        assert!(known("c-0999").is_some());
        for nobody in ["c-1000", "c-", "d-0001", "c--1", ""] {
            assert_eq!(known(nobody), None, "{nobody}");
        }
    }
}
