//! One list of instruction sets for every hot loop of the codecs.
//!
//! `dispatched!` compiles a function for AVX-512 (as of Ice Lake and Zen 4), AVX2 and the baseline, and picks one when it is
//! first called. Loops inside are plain; helpers they call are `#[inline(always)]`, so that they are compiled with them.

macro_rules! dispatched {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(unreachable_pub, reason = "the attribute repeats the visibility on a function inside")]
        #[multiversion::multiversion(targets("x86_64+avx512f", "x86_64+avx2+bmi1+bmi2+lzcnt"))]
        $vis fn $name($($arg: $ty),*) $(-> $ret)? $body
    };
}

pub(crate) use dispatched;
