//! Conformance suites, faulty wrappers and a manual clock for sources, sinks and state stores
