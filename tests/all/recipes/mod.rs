//! The platform's recipes as an app has them (`tests/recipes`): as its cookbook writes them, and with the user's own token. Programs in
//! TypeScript and Python walk through them as two users, with Supabase's own clients, and assert what they see.

mod docs;
mod gossip;
mod walk;

use walk::{Client, Recipe, Steps};

/// The models that answer in each walk.
const MODELS: [&str; 2] = ["openai/scripted", "builtin/extractive"];

const RETRIEVAL: Recipe = Recipe {
    name: "retrieval",
    variant: "cookbook",
    sql: &["retrieval.sql"],
    pattern: "",
    steps: Steps {
        before: &[
            "the back end adds a document of each user",
            "each user reads the chunks of their own documents",
            "every way to a chunk tells the same",
            "nothing says anything of the other's document",
            "nobody changes what the other has, or takes it over",
            "who has not signed in is told nothing",
        ],
        with_model: &["the agent is told the user's chunks alone", "no user reaches the runs of the back end"],
        after: &["a document that is given away is read by who has it now"],
    },
};

const RETRIEVAL_DIRECT: Recipe = Recipe {
    name: "retrieval",
    variant: "direct",
    sql: &[],
    pattern: "",
    steps: Steps {
        before: &[],
        with_model: &[
            "each user adds a document of their own",
            "the agent answers each user from their own documents",
            "every way to a chunk tells the same",
            "nothing says anything of the other's document",
            "nobody changes what the other has",
            "nobody reaches a run of the other's",
            "who has not signed in is told nothing",
        ],
        after: &["nobody acts as the other"],
    },
};

const CHATBOT: Recipe = Recipe {
    name: "chatbot",
    variant: "cookbook",
    sql: &["chatbot.sql"],
    pattern: "",
    steps: Steps {
        before: &["each user saves articles of their own"],
        with_model: &[
            "the back end answers nobody who has not signed in",
            "the agent finds the user's own articles",
            "no user reaches the runs of the back end",
            "no user reaches the agents, in whose prompts the tokens stand",
            "the tool answers nobody without a token that it gave out",
        ],
        after: &["each user reads their own conversation", "logs tell nothing of what was found"],
    },
};

const CHATBOT_DIRECT: Recipe = Recipe {
    name: "chatbot",
    variant: "direct",
    sql: &["chatbot.sql"],
    pattern: "",
    steps: Steps {
        before: &["each user saves articles of their own"],
        with_model: &[
            "the agent finds the user's own articles",
            "SQL of a model reads the user's own rows, whatever it says",
            "each user goes on with their own conversation",
            "nobody reaches the other's conversation",
            "nobody acts as the other",
            "agents and tools are the operator's",
        ],
        after: &[
            "the tool's server believes the platform's signature alone",
            "a user deletes a conversation, and the other's stays",
            "logs tell nothing of what was found",
        ],
    },
};

const UPLOADS: Recipe = Recipe {
    name: "uploads",
    variant: "cookbook",
    sql: &["retrieval.sql", "uploads.sql"],
    pattern: "",
    steps: Steps {
        before: &[],
        with_model: &[
            "each user asks about a document that was uploaded for them",
            "nobody reaches the other's runs, base and agent",
        ],
        after: &[
            "nobody reaches the other's sources",
            "nobody claims a source of the other's",
            "each user keeps files of their own",
            "the platform's own bucket is out of reach",
            "a file that the back end has already is no second source",
        ],
    },
};

const UPLOADS_DIRECT: Recipe = Recipe {
    name: "uploads",
    variant: "direct",
    sql: &["uploads.sql"],
    pattern: "",
    steps: Steps {
        before: &[],
        with_model: &["each user asks about documents of their own", "nobody reaches what the other has in the base"],
        after: &[
            "nobody reaches the other's sources",
            "the same file of two users is two sources",
            "a document is shown by an address of its own",
            "each user keeps files of their own",
            "the platform's own bucket is out of reach",
            "a document that its owner deletes is in no answer any more",
        ],
    },
};

const MIRROR: Recipe = Recipe {
    name: "live",
    variant: "cookbook",
    sql: &["live-mirror.sql"],
    pattern: "4a",
    steps: Steps {
        before: &[],
        with_model: &["all devices of a user hear the user's run"],
        after: &[
            "nobody else joins a user's channel",
            "nobody else speaks on a user's channel",
            "the public channel of the same name hears nothing of it",
            "each user reads their own history",
        ],
    },
};

const TRIGGER: Recipe = Recipe { sql: &["live-mirror.sql", "live-trigger.sql"], pattern: "4b", ..MIRROR };

const LIVE_DIRECT: Recipe = Recipe {
    name: "live",
    variant: "direct",
    sql: &[],
    pattern: "",
    steps: Steps {
        before: &[],
        with_model: &["all devices of a user hear the user's run"],
        after: &[
            "nobody else joins a user's channel",
            "nobody else speaks on a user's channel",
            "the public channel of the same name hears nothing of it",
            "a user speaks on no channel of runs, not even their own",
        ],
    },
};

const RECIPES: [&Recipe; 9] = [
    &RETRIEVAL,
    &RETRIEVAL_DIRECT,
    &CHATBOT,
    &CHATBOT_DIRECT,
    &UPLOADS,
    &UPLOADS_DIRECT,
    &MIRROR,
    &TRIGGER,
    &LIVE_DIRECT,
];

/// A test of each recipe with each client.
macro_rules! walks {
    ($($name:ident: $recipe:expr, $client:expr;)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            walk::walk(&$recipe, $client).await;
        })*
    };
}

walks! {
    retrieval_of_the_cookbook_with_the_newest_supabase_js: RETRIEVAL, Client::Newest;
    retrieval_of_the_cookbook_with_the_supabase_js_of_node_20: RETRIEVAL, Client::OfNode20;
    retrieval_of_the_cookbook_with_supabase_py: RETRIEVAL, Client::Python;
    retrieval_as_the_user_with_the_newest_supabase_js: RETRIEVAL_DIRECT, Client::Newest;
    retrieval_as_the_user_with_the_supabase_js_of_node_20: RETRIEVAL_DIRECT, Client::OfNode20;
    retrieval_as_the_user_with_supabase_py: RETRIEVAL_DIRECT, Client::Python;
    the_chatbot_of_the_cookbook_with_the_newest_supabase_js: CHATBOT, Client::Newest;
    the_chatbot_of_the_cookbook_with_the_supabase_js_of_node_20: CHATBOT, Client::OfNode20;
    the_chatbot_of_the_cookbook_with_supabase_py: CHATBOT, Client::Python;
    a_chatbot_as_the_user_with_the_newest_supabase_js: CHATBOT_DIRECT, Client::Newest;
    a_chatbot_as_the_user_with_the_supabase_js_of_node_20: CHATBOT_DIRECT, Client::OfNode20;
    a_chatbot_as_the_user_with_supabase_py: CHATBOT_DIRECT, Client::Python;
    uploads_of_the_cookbook_with_the_newest_supabase_js: UPLOADS, Client::Newest;
    uploads_of_the_cookbook_with_the_supabase_js_of_node_20: UPLOADS, Client::OfNode20;
    uploads_of_the_cookbook_with_supabase_py: UPLOADS, Client::Python;
    uploads_as_the_user_with_the_newest_supabase_js: UPLOADS_DIRECT, Client::Newest;
    uploads_as_the_user_with_the_supabase_js_of_node_20: UPLOADS_DIRECT, Client::OfNode20;
    uploads_as_the_user_with_supabase_py: UPLOADS_DIRECT, Client::Python;
    a_mirrored_stream_of_the_cookbook_with_the_newest_supabase_js: MIRROR, Client::Newest;
    a_mirrored_stream_of_the_cookbook_with_the_supabase_js_of_node_20: MIRROR, Client::OfNode20;
    a_mirrored_stream_of_the_cookbook_with_supabase_py: MIRROR, Client::Python;
    a_trigger_of_the_cookbook_with_the_newest_supabase_js: TRIGGER, Client::Newest;
    a_trigger_of_the_cookbook_with_the_supabase_js_of_node_20: TRIGGER, Client::OfNode20;
    a_trigger_of_the_cookbook_with_supabase_py: TRIGGER, Client::Python;
    a_mirrored_run_as_the_user_with_the_newest_supabase_js: LIVE_DIRECT, Client::Newest;
    a_mirrored_run_as_the_user_with_the_supabase_js_of_node_20: LIVE_DIRECT, Client::OfNode20;
    a_mirrored_run_as_the_user_with_supabase_py: LIVE_DIRECT, Client::Python;
}
