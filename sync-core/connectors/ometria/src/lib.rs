//! Ometria as a sink: consent rules, batching and delivery evidence
