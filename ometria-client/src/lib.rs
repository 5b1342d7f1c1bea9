//! Typed client for the Ometria push API and the record endpoint
