//! State in one directory: the state.json people edit, and an embedded store for the rest
