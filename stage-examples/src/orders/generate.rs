//! [`line()`]: realistic orders by number, one in a hundred of them poison.
//!
//! A line depends on the seed and its number alone, so that a second run reads the same input
//! again, as from a file.

use std::time::{Duration, UNIX_EPOCH};

use fastrand::Rng;

use super::lookup::CUSTOMERS;
use super::order::{CURRENCIES, Item, Order};

/// There is one poisonous line in so many.
pub(crate) const POISON: u64 = 100;
/// When the first order was placed: 1 January 2026, in seconds of Unix time.
const FIRST_PLACED_AT: u64 = 1_767_225_600;

/// Returns a line of the input; the first has number 1.
pub(crate) fn line(seed: u64, number: u64) -> Vec<u8> {
    let mut rng = rng(seed, number);
    let mut order = order(&mut rng, seed, number);
    let (block, place) = ((number - 1) / POISON, (number - 1) % POISON);
    if place != rng_of_block(seed, block).u64(..POISON) {
        return encode(&order);
    }
    match block % 5 {
        // Cut off in the middle, as by a sender that was killed.
        0 => {
            let mut line = encode(&order);
            line.truncate(line.len() / 2);
            return line;
        }
        1 => order.items[0].price = -order.items[0].price,
        2 => order.customer = format!("c-{}", rng.u32(10 * CUSTOMERS..100 * CUSTOMERS)),
        3 => order.currency = "EURO".to_owned(),
        _ => order.items.clear(),
    }
    encode(&order)
}

fn order(rng: &mut Rng, seed: u64, number: u64) -> Order {
    let items = (0..rng.usize(1..=4))
        .map(|_| Item {
            sku: format!("sku-{:04}", rng.u32(..5_000)),
            quantity: rng.u32(1..=3),
            price: rng.i64(99..=19_999),
        })
        .collect();
    let placed_at = UNIX_EPOCH + Duration::from_secs(FIRST_PLACED_AT + 3 * number);
    Order {
        id: format!("{seed}-{number:07}"),
        customer: format!("c-{:04}", rng.u32(..CUSTOMERS)),
        currency: CURRENCIES[rng.usize(..CURRENCIES.len())].to_owned(),
        placed_at: humantime::format_rfc3339_seconds(placed_at).to_string(),
        items,
    }
}

fn encode(order: &Order) -> Vec<u8> {
    // Strings and numbers always have a representation in JSON.
    serde_json::to_vec(order).unwrap_or_default()
}

fn rng(seed: u64, number: u64) -> Rng {
    Rng::with_seed(Rng::with_seed(seed).u64(..).wrapping_add(number))
}

/// Says which line of a block of [`POISON`] lines is the poisonous one.
fn rng_of_block(seed: u64, block: u64) -> Rng {
    rng(!seed, block)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn one_line_in_a_hundred_is_poison_of_each_kind() {
        let mut kinds = BTreeMap::<String, u64>::new();
        for number in 1..=5_000 {
            match Order::decode(&line(1, number)) {
                Err(error) => {
                    let error = error.to_string();
                    let kind = error.split(':').next().unwrap_or_default();
                    *kinds.entry(kind.to_owned()).or_default() += 1;
                }
                Ok(order) if order.customer.len() != 6 => {
                    *kinds.entry("unknown customer".into()).or_default() += 1;
                }
                Ok(_) => {}
            }
        }
        assert_eq!(kinds.len(), 5, "{kinds:?}");
        assert!(kinds.values().all(|lines| *lines == 10), "{kinds:?}");
    }

    #[test]
    fn a_line_depends_on_seed_and_number_alone() {
        assert_eq!(line(7, 42), line(7, 42));
        assert_ne!(line(7, 42), line(8, 42));
        assert_ne!(line(7, 42), line(7, 43));
    }
}
