//! Do all members of a seam keep its contract? A suite each for pollers, disks, persistence and eviction,
//! over every member and the simulated ones.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cases;
mod disk;
mod eviction;
mod isolated;
mod persistence;
mod rig;
mod stage;
mod switching;

use dovetail_backends::poller::epoll::Epoll;
use dovetail_backends::poller::io_uring::{IoUring, Least, Uring};
use dovetail_backends::poller::poll::Poll;
use dovetail_backends::poller::select::Select;
use stage::{Kernel, Simulated};

/// One module of tests a member, one test a case.
macro_rules! conforms {
    ($($module:ident: $stage:ty;)*) => { $(
        mod $module {
            use super::*;
            conforms!(@cases $stage:
                streams::accepted_clients_are_echoed,
                streams::bytes_arrive_one_by_one,
                streams::a_burst_arrives_in_order,
                streams::several_clients_do_not_mix,
                streams::a_large_reply_waits_for_a_stalled_reader,
                streams::replies_behind_a_stalled_one_keep_their_order,
                streams::spliced_replies_leave_whole,
                streams::many_small_pieces_leave_whole,
                streams::an_empty_reply_is_nothing,
                streams::gathering_does_not_lose_a_lonely_client,
                closing::now_ends_an_idle_connection_at_once,
                closing::now_drops_what_is_unsent,
                closing::gracefully_sends_what_is_unsent_first,
                closing::gracefully_sends_a_reply_of_the_same_turn,
                closing::now_hastens_a_graceful_close,
                closing::closing_twice_is_closing_once,
                closing::a_reset_ends_in_closed,
                closing::a_reset_under_a_stalled_reply_ends_in_closed,
                closing::replies_reach_a_peer_that_has_finished_speaking,
                closing::a_stalled_peer_that_has_finished_speaking_gets_everything,
                closing::a_peer_that_has_finished_speaking_is_answered_turns_later,
                closing::what_a_peer_that_has_finished_does_not_take_drains_later,
                closing::a_peer_that_has_finished_and_gone_is_no_fault,
                closing::a_fill_is_given_up_when_the_peer_has_finished,
                closing::nothing_arrives_after_a_graceful_close,
                closing::a_slot_is_reused_under_another_generation,
                closing::dead_names_are_ignored,
                closing::many_come_and_go,
                reading::pausing_loses_no_byte,
                reading::a_paused_writer_is_held_back,
                reading::a_peer_that_ends_while_paused_is_closed_after_its_bytes,
                reading::a_small_value_is_filled,
                reading::a_large_value_is_filled_while_it_arrives,
                reading::what_follows_a_filled_value_comes_after_it,
                reading::a_full_buffer_is_filled_already,
                reading::values_fill_one_after_the_other,
                reading::a_peer_that_ends_within_a_value_is_closed,
                reading::closing_within_a_value_ends,
                doors::a_closed_listener_takes_nobody_and_its_clients_live,
                doors::two_listeners_are_told_apart,
                doors::a_connection_is_made,
                doors::a_refused_connection_says_so,
                doors::a_closed_attempt_ends_once,
                doors::wakes_make_one_event_and_the_next_wake_another,
                soak::random_traffic_is_echoed_exactly,
            );
        }
    )* };
    (@cases $stage:ty: $($group:ident::$case:ident,)*) => { $(
        #[test]
        fn $case() {
            if <$stage as stage::Stage>::is_here() {
                cases::$group::$case::<$stage>();
            }
        }
    )* };
}

conforms! {
    epoll: Kernel<Epoll>;
    poll: Kernel<Poll>;
    select: Kernel<Select>;
    io_uring: Kernel<IoUring>;
    io_uring_with_fallbacks: Kernel<Uring<Least>>;
    simulated: Simulated;
}
