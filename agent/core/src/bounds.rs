//! Every limit of the system in one place. Full means a stated, counted action, named beside each bound.
