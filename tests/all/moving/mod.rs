//! Moving in: projects of Supabase and Powabase (`tests/moving`), moved as the pages say, and Behalf beside one.

mod bed;
mod compare;
mod files;
mod powabase;
mod supabase;
