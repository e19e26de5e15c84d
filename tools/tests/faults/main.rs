//! COLD: every fault end to end: the built program against a real exchange process, both on loopback.
//!
//! No test asserts how soon something happens: each waits for what it wants to see and then ends the run itself, so a
//! machine that is busy with something else only makes it slower. `runs` is what happens without a fault.
//!
//! | fault | shown here | shown closer to its cause |
//! |---|---|---|
//! | key or secret the venue does not know | `start::a_key_that_the_venue_does_not_know…` | feed `gateway_sessions::a_refused_log_on_halts…` |
//! | key revoked while trading | `orders::a_key_that_is_revoked…` | feed `gateway_scenarios::a_bad_signature_on_an_order_halts` |
//! | placeholder, white space, mode of the file | `start::what_cannot_be_a_key…` | `config::credentials`, `cli::keys_are_checked…` |
//! | clock off by more than the window | `start::a_clock_off…` | feed `gateway_sessions::a_clock_far_off…`, `a_timestamp_that_is_always_refused…` |
//! | unknown symbol | `start::an_unknown_symbol…` | feed `instruments` |
//! | price off tick, quantity off step | `orders::refusals_of_price_and_quantity_rules…` | engine `risk`, feed `exchange_verified` |
//! | unknown TOML key, missing limit | `start::an_unknown_key…` | `config::tests`, `cli::a_bad_configuration…` |
//! | port in use | `start::a_port_in_use…` | feed `loopback::serving`, `cli::a_port_in_use…` |
//! | corrupt or truncated recording | `start::a_recording_that_cannot_be_played…` | `verify`, feed `damaged_recordings` |
//! | certificate: authority, host, none | `start::certificates_are_always_checked` | feed `loopback` (expired, too early, self-signed) |
//! | nobody listens | `start::an_address_where_nobody_listens…` | feed `loopback::fetching` |
//! | 429 with Retry-After, orders and snapshots | `orders::too_many_requests…`, `market::a_first_snapshot…` | feed `gateway_scenarios::the_venues_retry_after_is_kept`, `session::snapshots_keep…` |
//! | malformed, lost, swapped frame | `market::lost_swapped_and_malformed…`, `market::…on_spot…` | feed `session`, `decode_differential` |
//! | doubled frame, oversized frame, cut connection | `market::a_doubled_frame…` | feed `session`, `loopback::a_message_over_the_cap…` (close code 1009) |
//! | silent stream | `market::a_silent_stream…` | feed `session::a_silent_connection…`, `a_silent_symbol…` |
//! | frozen exchange | `market::an_exchange_that_freezes…` | feed `gateway_sessions::a_silent_connection_is_replaced` |
//! | killed exchange | `orders::a_killed_exchange…`, `demo::a_demo_whose_exchange…` | feed `gateway_scenarios::shutting_down_without_a_connection…` |
//! | unanswered order | `orders::an_order_without_an_answer…` | feed `gateway_scenarios::a_lost_ack…`, `a_lost_request…` |
//! | killed engine, killed demo | `killed::…`, `orders::orders_of_a_killed_engine…`, `demo::a_killed_demo…` | feed `gateway_scenarios::strays_of_earlier_runs…` |
//! | Ctrl-C once, twice, kill file | `orders::the_first_interrupt…`, `the_second…`, `the_kill_verb…` | `signals` |
//! | funding, transfers, liquidation | `money::funding_is_in_the_result…` | feed `gateway::incomes`, `gateway::exchange`, `simulator::money` |
//! | fills after a kill | `money::what_is_filled_after_a_kill…` | engine `position` |
//! | outputs dead, full, closed, or never read | `stop::outputs_that_are_dead…` | `output` |
//! | a limit of the system that is too small | `start::a_limit_of_the_system…` | `limits` |
//! | a core that is not there | `start::a_core_that_is_named…` | |
//! | a first answer that fails once | `start::a_first_answer…` | `retry` |
//! | a host gone while the other stands | `outages::…` | feed `whole`, the oracle |
//! | a terminal that nobody reads | `screen::a_terminal_that_nobody_reads…` | `output` |
//! | other signals | `stop::signals_stop_in_order…` | `signals` |
//! | a bug: a thread panics | `stop::a_bug_of_the_hot_thread…` | `panics` |
//! | keys, and the terminal at every end | `screen::keys_help…`, `the_terminal_is_given_back…` | `keys`, `signals` |
//! | a thread that hangs, a process that is stopped | `control::…` | feed `supervision`, `whole::dead_threads`, `rescue` |
//! | a frozen or killed engine, with its guard | `guard::…` | feed `supervision::vigil`, `pulse` |
//! | a kill that nobody hears or answers | `stop::a_kill_that…`, `a_kill_waits…` | `state_dir` |
//! | a kill of a part, and over a restart | `kill::…` | `kills`, `kill_word`, feed `gateway::stopped` |
//! | one of two venues dies | `venues::when_one_venue_dies…` | engine `readiness` |
//! | two engines, another account, another machine | `start::two_engines…`, `another_account…` | `state_dir` |
//! | another world, a key that may withdraw | `start::live_orders_go…`, `a_key_that_may_withdraw…` | `config::tests` |
//! | an execution with garbage, lost, doubled | `hostile::an_execution_with_garbage…`, `…lost_or_doubled…` | feed `gateway` |
//! | a server that falls mute, then goes | `hostile::a_server_that_falls_mute…` | `report` |
//! | hedge mode | `hostile::hedge_mode…` | feed `gateway_account` |
//! | two state directories, one account | `hostile::a_second_engine…`, `…a_persons_word` | `lease`, `state_dir` |
//! | a lost day, a restart, `kill -9` | `truth::a_lost_day_outlives…` | engine `a_day_goes_on_after_a_restart…`, `day_book` |

mod adopted;
mod amends;
mod control;
mod demo;
mod desk;
mod exchange;
mod guard;
mod hostile;
mod journal;
mod kill;
mod killed;
mod market;
mod money;
#[path = "../shared/no_secret.rs"]
mod no_secret;
mod orders;
mod outages;
mod proxy;
mod rig;
mod runs;
mod screen;
mod start;
mod stop;
mod truth;
mod venues;
