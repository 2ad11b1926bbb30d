//! What is looked up for every child that ends: by its place, which costs less
//! than to hash its name.

/// Values in numbered places; the number of one that was removed is used again.
#[derive(Debug)]
pub(super) struct Places<T> {
    places: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Places<T> {
    pub(super) fn insert(&mut self, value: T) -> usize {
        match self.free.pop() {
            Some(place) => {
                self.places[place] = Some(value);
                place
            }
            None => {
                self.places.push(Some(value));
                self.places.len() - 1
            }
        }
    }

    pub(super) fn remove(&mut self, place: usize) -> Option<T> {
        let value = self.places.get_mut(place)?.take()?;
        self.free.push(place);
        Some(value)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.places.len() == self.free.len()
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.places.get_mut(place)?.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().flatten()
    }
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Places;

    #[test]
    fn a_place_that_is_free_is_taken_first() {
        let mut places = Places::default();
        assert!(places.is_empty());
        let (first, second) = (places.insert('a'), places.insert('b'));
        assert_eq!(places.remove(first), Some('a'));
        assert_eq!(places.remove(first), None);
        assert_eq!(places.insert('c'), first);
        assert_eq!(places.iter().copied().collect::<String>(), "cb");
        assert_eq!(places.remove(second + 1), None);
        places.remove(first);
        places.remove(second);
        assert!(places.is_empty());
    }
}
