//! Which controllers carry the default route and the present SSH session.

use std::net::IpAddr;

use passthru_formats::routes::{self, Route};
use passthru_model::facts::HostUse;

use super::in_use::Collected;
use super::{Options, controllers};
use crate::host::Host;

const CLASS: &str = "/sys/class/net";

/// Interfaces are stacked (VLAN on bond on NIC), but never as deep as this.
const DEEPEST: usize = 8;

pub(super) fn collect(host: &Host, options: &Options, uses: &mut Collected) {
    let mut all: Vec<Route> = Vec::new();
    match host
        .read("/proc/net/route")
        .map_err(|error| error.to_string())
        .and_then(|bytes| routes::ipv4(&bytes).map_err(|error| format!("/proc/net/route: {error}")))
    {
        Ok(found) => all.extend(found),
        Err(why) => uses.gap(HostUse::Network, why),
    }
    match host.read("/proc/net/ipv6_route") {
        Ok(bytes) => match routes::ipv6(&bytes) {
            Ok(found) => all.extend(found),
            Err(error) => uses.gap(HostUse::Network, format!("/proc/net/ipv6_route: {error}")),
        },
        // IPv6 can be switched off, and then the file is not there.
        Err(error) if error.is_not_found() => {}
        Err(error) => uses.gap(HostUse::Network, error),
    }
    for route in all.iter().filter(|route| route.prefix == 0) {
        interface(
            host,
            &route.interface,
            &format!("the default route leads through {}", route.interface),
            uses,
        );
    }
    let session = options.ssh_connection.as_deref().filter(|_| host.is_live());
    if let Some(session) = session {
        ssh(host, session, &all, uses);
    }
}

/// The interface over which the client of the SSH session is reached.
fn ssh(host: &Host, session: &str, all: &[Route], uses: &mut Collected) {
    let client = session.split_ascii_whitespace().next().unwrap_or_default();
    // A link-local address carries its interface: fe80::1%eth0.
    let (client, zone) = client.split_once('%').map_or((client, None), |(client, zone)| (client, Some(zone)));
    let Ok(address) = client.parse::<IpAddr>() else {
        return uses.gap(HostUse::Network, format!("‘{session}’ of SSH_CONNECTION names no client"));
    };
    // An IPv4 client of a server that listens on IPv6 is written ::ffff:192.0.2.1.
    let address = address.to_canonical();
    if address.is_loopback() {
        return;
    }
    let name = zone.or_else(|| routes::route_to(all, address).map(|route| route.interface.as_str()));
    match name {
        Some(name) => interface(host, name, &format!("the present SSH session runs over {name}"), uses),
        None => {
            uses.gap(HostUse::Network, format!("no route leads to {address}, the client of the SSH session"));
        }
    }
}

/// The controllers below an interface; all that are up where it is virtual and does not say what carries it (a VPN).
fn interface(host: &Host, name: &str, what: &str, uses: &mut Collected) {
    match carriers(host, name, DEEPEST) {
        Ok(paths) if !paths.is_empty() => {
            for path in paths {
                uses.add(HostUse::Network, &path, what);
            }
        }
        Ok(_) => match host.list(CLASS) {
            Ok(names) => {
                for other in names {
                    let up =
                        host.read(&format!("{CLASS}/{other}/operstate")).is_ok_and(|state| state == b"up\n");
                    if up && let Ok(path) = host.real_path(&format!("{CLASS}/{other}")) {
                        uses.add(HostUse::Network, &path, &format!("{what}, which {other} may carry"));
                    }
                }
            }
            Err(error) => uses.gap(HostUse::Network, error),
        },
        Err(why) => uses.gap(HostUse::Network, why),
    }
}

/// The real paths of the physical interfaces below one, by the links `lower_NAME` that upper ones have
/// (`Documentation/ABI/testing/sysfs-class-net`).
fn carriers(host: &Host, name: &str, depth: usize) -> Result<Vec<String>, String> {
    let entry = format!("{CLASS}/{name}");
    let real = host.real_path(&entry).map_err(|error| error.to_string())?;
    if !controllers(&real).is_empty() {
        return Ok(vec![real]);
    }
    if depth == 0 {
        return Err(format!("{entry} is stacked too deep"));
    }
    let names = host.list(&real).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    for lower in names.iter().filter_map(|name| name.strip_prefix("lower_")) {
        found.extend(carriers(host, lower, depth - 1)?);
    }
    Ok(found)
}
