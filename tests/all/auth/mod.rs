//! `/auth/v1`: users, sessions and sign-in.

mod addresses;
mod admin;
mod clients;
mod codes;
mod docs;
mod enumeration;
mod external;
mod factors;
mod import;
mod issuers;
mod keys;
mod letters;
mod oidc;
mod outage;
mod people;
mod pkce;
mod presets;
mod redirects;
mod sessions;
mod sign_up;
