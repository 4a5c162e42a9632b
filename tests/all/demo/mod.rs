//! The page of `behalf dev --demo chat`: what it shows in a browser, and what its routes tell to whom.

mod browser;
mod dev_host;
mod routes;
mod scripts;
