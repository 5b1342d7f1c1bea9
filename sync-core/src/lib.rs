//! Source, sink and state traits, and the engine that moves records between them without loss
