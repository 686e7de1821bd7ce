//! Daemons that agree: three nodes and a manager, each with a corosync of its own, and what operators see of them.
mod commands;
mod pages;
mod site;
mod views;
