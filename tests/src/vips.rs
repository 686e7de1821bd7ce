//! Managed addresses on the hosts of a lab: the configuration that offers them.
use crate::Host;
use std::net::IpAddr;

/// What is offered, and how fast the cluster is.
#[derive(Clone, Debug)]
pub struct VipOptions {
    /// The addresses, of 10.78.0.0/16 and `fd78::/64`, on `eth0`.
    pub addresses: Vec<IpAddr>,
    /// Node that has them whenever it is a member.
    pub preference: Option<String>,
    /// Heartbeats a second.
    pub heartbeats: u32,
    /// `view_mature_time`, seconds.
    pub mature: f64,
    /// Further options of the scope `cluster`, one a line.
    pub cluster: String,
}

impl Default for VipOptions {
    fn default() -> Self {
        Self { addresses: Vec::new(), preference: None, heartbeats: 100, mature: 1.0, cluster: String::new() }
    }
}

impl Host {
    /// Returns the configuration of a host on a bus that offers managed addresses.
    pub fn vip_config(&self, options: &VipOptions) -> String {
        let VipOptions { addresses, preference, heartbeats, mature, cluster } = options;
        let in_cluster = format!(
            "  bus_token = 0.1\n  heartbeats_per_sec = {heartbeats}\n  heartbeat_start_delay = 0\n  \
             view_mature_time = {mature}\n  view_balance_interval = 1\n  duravip_balance_set_size = 100\n{cluster}  \
             Topology \"10.78.0.0/16\" {{\n    interface = \"eth0\"\n  }}\n  Topology \"fd78::/64\" {{\n    \
             interface = \"eth0\"\n    cidrmask = \"128\"\n  }}\n"
        );
        let config = self.bus_config().replace("  bus_token = 0.1\n", &in_cluster);
        let preference = preference.as_ref().map(|node| format!("  Duravip_Preference = \"{node}\"\n"));
        let preference = preference.unwrap_or_default();
        let binding = |(number, address): (usize, &IpAddr)| {
            let own = format!("  bind_address = \"{address}\"\n  Enable_Duravip = true\n");
            format!("Binding \"b{number}\" {{\n{own}{preference}}}\n")
        };
        config + &addresses.iter().enumerate().map(binding).collect::<String>()
    }
}
