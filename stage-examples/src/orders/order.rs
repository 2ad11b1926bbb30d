//! [`Order`]: what a line of the input has to be. [`PricedOrder`]: what is stored of it.
//!
//! An order that is wrong now is wrong at every attempt. Its error is therefore a reason to
//! [reject](stage_pipeline::Failed::reject) the message, and not to try it again.

use serde::{Deserialize, Serialize};

use super::lookup::Customer;

/// The currencies that are taken.
pub(crate) const CURRENCIES: [&str; 4] = ["EUR", "USD", "GBP", "JPY"];

/// An order, as a shop sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) customer: String,
    pub(crate) currency: String,
    pub(crate) placed_at: String,
    pub(crate) items: Vec<Item>,
}

/// A position of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) sku: String,
    pub(crate) quantity: u32,
    /// In hundredths of the currency.
    pub(crate) price: i64,
}

/// A valid order with its total and its customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PricedOrder {
    pub(crate) id: String,
    /// The line of the input that it came from, if that is known.
    pub(crate) line: Option<u64>,
    pub(crate) customer: String,
    pub(crate) name: String,
    pub(crate) country: String,
    pub(crate) currency: String,
    /// In hundredths of the currency.
    pub(crate) total: i64,
    pub(crate) placed_at: String,
}

/// Why a line is no valid order. The text up to the first colon is the kind of error, which
/// the report counts by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OrderError {
    #[error("malformed JSON: {0}")]
    Json(String),
    #[error("not an order: {0}")]
    Shape(String),
    #[error("no items: order {0} needs at least one")]
    Empty(String),
    #[error("negative price: {sku} of order {order} costs {price}; the least is 0")]
    Price {
        order: String,
        sku: String,
        price: i64,
    },
    #[error("unknown currency: `{0}`; the currencies are {known}", known = CURRENCIES.join(", "))]
    Currency(String),
    #[error("total too large: order {0} costs more than {max}", max = i64::MAX)]
    Total(String),
    #[error("unknown customer: {0}")]
    Customer(String),
}

impl Order {
    /// Decodes and checks a line.
    pub(crate) fn decode(line: &[u8]) -> Result<Self, OrderError> {
        let order: Self = serde_json::from_slice(line).map_err(|error| {
            if error.is_data() {
                OrderError::Shape(error.to_string())
            } else {
                OrderError::Json(error.to_string())
            }
        })?;
        if !CURRENCIES.contains(&order.currency.as_str()) {
            return Err(OrderError::Currency(order.currency));
        }
        if order.items.is_empty() {
            return Err(OrderError::Empty(order.id));
        }
        order.total()?;
        Ok(order)
    }

    /// Adds up what the items cost.
    fn total(&self) -> Result<i64, OrderError> {
        self.items.iter().try_fold(0_i64, |total, item| {
            if item.price < 0 {
                return Err(OrderError::Price {
                    order: self.id.clone(),
                    sku: item.sku.clone(),
                    price: item.price,
                });
            }
            item.price
                .checked_mul(i64::from(item.quantity))
                .and_then(|price| total.checked_add(price))
                .ok_or_else(|| OrderError::Total(self.id.clone()))
        })
    }

    /// Puts the order and its customer together.
    pub(crate) fn priced(
        &self,
        customer: &Customer,
        line: Option<u64>,
    ) -> Result<PricedOrder, OrderError> {
        Ok(PricedOrder {
            id: self.id.clone(),
            line,
            customer: self.customer.clone(),
            name: customer.name.clone(),
            country: customer.country.to_owned(),
            currency: self.currency.clone(),
            total: self.total()?,
            placed_at: self.placed_at.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"id":"1","customer":"c-0001","currency":"EUR","placed_at":"2026-01-01T00:00:00Z","items":[{"sku":"a","quantity":2,"price":150},{"sku":"b","quantity":1,"price":1}]}"#;

    fn refused(from: &str, to: &str) -> String {
        let line = GOOD.replace(from, to);
        assert_ne!(line, GOOD);
        Order::decode(line.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_good_order_adds_up() {
        let order = Order::decode(GOOD.as_bytes()).unwrap();
        let customer = Customer {
            name: "Ada".into(),
            country: "GB",
        };
        let priced = order.priced(&customer, Some(3)).unwrap();
        assert_eq!((priced.total, priced.line), (301, Some(3)));
        assert_eq!((&*priced.name, &*priced.country), ("Ada", "GB"));
    }

    #[test]
    fn every_error_begins_with_its_kind_and_names_the_value() {
        for (from, to, kind, value) in [
            ("\"items\"", "items", "malformed JSON", "column"),
            ("\"id\":\"1\",", "", "not an order", "`id`"),
            (
                "\"price\":1}",
                "\"price\":-7}",
                "negative price",
                "b of order 1 costs -7",
            ),
            ("EUR", "EURO", "unknown currency", "`EURO`"),
            ("150", "9223372036854775807", "total too large", "order 1"),
            ("\"quantity\":2", "\"quantity\":-2", "not an order", "-2"),
        ] {
            let text = refused(from, to);
            assert!(text.starts_with(&format!("{kind}: ")), "{text}");
            assert!(text.contains(value), "{text}");
        }
        let items = GOOD.split_once("[").unwrap().0;
        let empty = Order::decode(format!("{items}[]}}").as_bytes()).unwrap_err();
        assert_eq!(empty, OrderError::Empty("1".into()));
        assert!(
            Order::decode(b"\xff\xfe")
                .unwrap_err()
                .to_string()
                .starts_with("malformed JSON: ")
        );
    }
}
