//! Does every policy keep the contract of its seam? Over a cache that is nothing but maps, beside the
//! textbook where there is one, and over the keyspace.

mod cases;
mod keyspace;
mod model;
mod quality;
mod textbook;
mod traces;

use dovetail_engine::config::{Choice, MaxmemoryPolicy};

/// One module of tests a member, one test a case.
macro_rules! conforms {
    ($($module:ident: $name:literal;)*) => {
        $( mod $module {
            conforms!(@cases $name:
                nobody_is_there_exactly_when_all_have_gone,
                who_is_named_and_stays_must_enter_again,
                looks_are_bounded_where_all_keys_are_hot,
                looks_are_bounded_where_hot_keys_stay_hot,
                small_steps_name_the_same_as_large_ones,
                who_leaves_by_other_ways_does_no_harm,
                keys_that_share_a_name_all_go,
                entering_twice_is_entering_once,
                what_is_held_stays_bounded_while_keys_come_and_go,
                what_is_held_stays_bounded_while_the_same_keys_come_again,
                what_was_held_is_given_back_though_nobody_comes,
                a_key_costs_a_word_and_what_is_remembered_another,
            );
        } )*

        #[test]
        fn no_policy_is_left_out() {
            let rows = dovetail_backends::eviction::POLICIES.iter().map(|row| row.name);
            assert!(rows.eq([$($name),*]));
        }
    };
    (@cases $name:literal: $($case:ident,)*) => { $(
        #[test]
        fn $case() {
            super::cases::$case($name);
        }
    )* };
}

#[test]
fn the_directive_has_two_words_for_each_row_and_no_others() {
    let mut rows = vec!["noeviction".to_owned()];
    for row in dovetail_backends::eviction::POLICIES {
        rows.push(format!("volatile-{}", row.name));
        if !row.volatile_only {
            rows.push(format!("allkeys-{}", row.name));
        }
    }
    let mut words: Vec<&str> = MaxmemoryPolicy::WORDS.to_vec();
    rows.sort_unstable();
    words.sort_unstable();
    assert_eq!(words, rows);
}

conforms! {
    random: "random";
    ttl: "ttl";
    lru: "lru";
    lfu: "lfu";
    hyperbolic: "hyperbolic";
    exact_lru: "exact-lru";
    sieve: "sieve";
    s3fifo: "s3fifo";
    wtinylfu: "wtinylfu";
}
