//! Routes: `/proc/net/route` and `/proc/net/ipv6_route` (`net/ipv4/fib_trie.c`, `net/ipv6/route.c`).

use std::net::IpAddr;

use crate::error::FormatError;

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The interface's name.
    pub interface: String,
    /// Where it leads: the network's address.
    pub destination: IpAddr,
    /// Length of the network's prefix in bits; 0 is the default route.
    pub prefix: u8,
    /// The route's cost; the lowest wins.
    pub metric: u32,
}

/// `RTF_UP`: the route is usable (`include/uapi/linux/route.h`).
const UP: u32 = 0x1;
/// `RTF_REJECT`: packets are refused, so the route leads nowhere.
const REJECT: u32 = 0x200;

fn hex32(text: &str) -> Option<u32> {
    (text.len() == 8).then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

/// Reads `/proc/net/route`: a heading, then lines whose addresses are written in the byte order of the machine, which
/// is little-endian everywhere this program runs.
pub fn ipv4(bytes: &[u8]) -> Result<Vec<Route>, FormatError> {
    collect("route", bytes, 1, |words| {
        let [interface, destination, _, flags, _, _, metric, mask, ..] = words else { return None };
        let usable = u32::from_str_radix(flags, 16).ok()? & (UP | REJECT) == UP;
        let prefix = u8::try_from(hex32(mask)?.count_ones()).ok()?;
        let destination = IpAddr::from(hex32(destination)?.swap_bytes().to_be_bytes());
        Some((
            usable,
            Route { interface: (*interface).to_owned(), destination, prefix, metric: metric.parse().ok()? },
        ))
    })
}

/// Reads `/proc/net/ipv6_route`, which has no heading.
pub fn ipv6(bytes: &[u8]) -> Result<Vec<Route>, FormatError> {
    collect("ipv6_route", bytes, 0, |words| {
        let [destination, prefix, _, _, _, metric, _, _, flags, interface] = words else { return None };
        let usable = u32::from_str_radix(flags, 16).ok()? & (UP | REJECT) == UP && *interface != "lo";
        let destination =
            (destination.len() == 32).then(|| u128::from_str_radix(destination, 16).ok()).flatten()?;
        Some((
            usable,
            Route {
                interface: (*interface).to_owned(),
                destination: IpAddr::from(destination.to_be_bytes()),
                prefix: u8::from_str_radix(prefix, 16).ok().filter(|prefix| *prefix <= 128)?,
                metric: u32::from_str_radix(metric, 16).ok()?,
            },
        ))
    })
}

/// Reads lines of words, and keeps those routes that can be used.
fn collect(
    what: &'static str,
    bytes: &[u8],
    heading: usize,
    one: impl Fn(&[&str]) -> Option<(bool, Route)>,
) -> Result<Vec<Route>, FormatError> {
    let text = String::from_utf8_lossy(bytes);
    let mut routes = Vec::new();
    for (position, line) in text.lines().enumerate().skip(heading) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let (usable, route) = one(&words).ok_or_else(|| {
            FormatError::new(what, position + 1, format!("‘{}’ is not a route", line.trim_end()))
        })?;
        if usable {
            routes.push(route);
        }
    }
    Ok(routes)
}

/// The route to an address: the longest prefix, then the lowest metric.
pub fn route_to(routes: &[Route], address: IpAddr) -> Option<&Route> {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, true),
        IpAddr::V6(address) => (u128::from(address), false),
    };
    let (wanted, is_v4) = bits(address);
    let reaches = |route: &&Route| {
        let (network, same) = bits(route.destination);
        let mask = u128::MAX.checked_shl(128 - u32::from(route.prefix)).unwrap_or(0);
        same == is_v4 && (wanted ^ network) & mask == 0
    };
    routes.iter().filter(reaches).max_by_key(|route| (route.prefix, std::cmp::Reverse(route.metric)))
}

#[cfg(test)]
mod tests {
    use super::{ipv4, ipv6, route_to};
    use proptest::prelude::*;

    const V4: &[u8] =
        b"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
        wlan0\t00000000\t010200C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
        eth1\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";

    #[test]
    fn the_longest_prefix_wins_and_then_the_lowest_metric() {
        let routes = ipv4(V4).expect("reads");
        let by = |address: &str| {
            route_to(&routes, address.parse().expect("an address")).map(|route| route.interface.as_str())
        };
        assert_eq!(by("192.0.2.77"), Some("eth1"));
        assert_eq!(by("198.51.100.1"), Some("eth0"));
        assert_eq!(by("2001:db8::1"), None);
    }

    #[test]
    fn the_default_route_of_ipv6_is_found_and_rejecting_ones_are_not() {
        let zero = "0".repeat(32);
        let text = format!(
            "{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n\
             {zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\n"
        );
        let routes = ipv6(text.as_bytes()).expect("reads");
        assert_eq!(routes.len(), 1);
        assert_eq!((routes[0].interface.as_str(), routes[0].prefix), ("eth0", 0));
    }

    #[test]
    fn a_bad_line_is_named() {
        assert_eq!(
            ipv4(b"heading\nx\n").expect_err("bad").to_string(),
            "line 2 of route: ‘x’ is not a route"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, address: std::net::IpAddr) {
            for routes in [ipv4(&bytes), ipv6(&bytes)].into_iter().flatten() {
                let _ = route_to(&routes, address);
            }
        }
    }
}
