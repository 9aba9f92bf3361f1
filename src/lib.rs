//! rord: a language for training local-feature networks.
