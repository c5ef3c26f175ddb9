//! IP addresses as they stand in an iPAddress.

use std::net::IpAddr;

/// Whether `address` lies in a block reserved for private or special use (RFC 6890), so that nobody
/// can prove control over it.
pub fn is_reserved_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_documentation()
                || a == 0
                || a >= 240
                || a == 100 && (64..128).contains(&b)
                || a == 192 && b == 0 && c == 0
                || a == 192 && b == 88 && c == 99
                || a == 198 && (18..20).contains(&b)
        }
        IpAddr::V6(v6) => {
            // Only 2000::/3 is given out, and not all of it.
            let segments = v6.segments();
            segments[0] & 0xE000 != 0x2000
                || segments[0] == 0x2001 && segments[1] < 0x0200
                || segments[0] == 0x2001 && segments[1] == 0x0DB8
                || segments[0] == 0x2002
                || segments[0] == 0x3FFF && segments[1] < 0x1000
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_and_public_addresses() {
        for reserved in [
            "10.1.2.3",
            "127.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "169.254.0.1",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "198.51.100.7",
            "::1",
            "fe80::1",
            "fd00::1",
            "2001:db8::1",
            "ff02::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(
                is_reserved_address(reserved.parse().expect(reserved)),
                "{reserved}"
            );
        }
        for public in ["8.8.8.8", "193.0.6.139", "2001:67c:2e8::1", "2a00:1450::1"] {
            assert!(
                !is_reserved_address(public.parse().expect(public)),
                "{public}"
            );
        }
    }
}
