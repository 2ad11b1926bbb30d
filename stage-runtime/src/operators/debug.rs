//! `Debug` for operators, whose closures have none.

/// Implements `Debug` for a type as its name.
macro_rules! debug_as_name {
    ($name:ident<$($param:ident),+>) => {
        impl<$($param),+> std::fmt::Debug for $name<$($param),+> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

pub(crate) use debug_as_name;
