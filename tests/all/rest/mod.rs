//! `/rest/v1`: an app's tables and functions with the clients it has.

mod clients;
mod differential;
