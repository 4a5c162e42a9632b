//! `/auth/v1`: users, sessions and sign-in.

mod addresses;
mod codes;
mod enumeration;
mod external;
mod issuers;
mod keys;
mod oidc;
mod people;
mod pkce;
mod redirects;
mod sessions;
mod sign_up;
