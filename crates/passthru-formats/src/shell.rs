//! Shell files of assignments, such as /etc/default/grub.
