//! Vectors of texts: by a model in this process, or by a server.
