/*
 * Addresses and networks: their notation, their text form, and membership.
 */
#include "options/networks.h"

#include "unit.h"

static const struct {
    struct slice text;
    const char *shown; /* NULL: no address */
} addresses[] = {
    {SLICE("192.0.2.1"), "192.0.2.1"},
    {SLICE("0.0.0.0"), "0.0.0.0"},
    {SLICE("::1"), "::1"},
    {SLICE("2001:DB8:0:0::7"), "2001:db8::7"},
    {SLICE("::ffff:192.0.2.1"), "192.0.2.1"},
    {SLICE("::ffff:c000:201"), "192.0.2.1"},
    {SLICE(""), NULL},
    {SLICE("192.0.2"), NULL},
    {SLICE("192.0.2.256"), NULL},
    {SLICE("192.0.2.01"), NULL},
    {SLICE("0x7f.0.0.1"), NULL},
    {SLICE(" 192.0.2.1"), NULL},
    {SLICE("192.0.2.1\0"), NULL},
    {SLICE("192.0.2.1:80"), NULL},
    {SLICE("[::1]"), NULL},
    {SLICE("fe80::1%eth0"), NULL},
    {SLICE("localhost"), NULL},
    {SLICE("1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"), NULL},
};

START_TEST(an_address_is_shown_in_one_way)
{
    struct ip_address address;
    char text[IP_TEXT_SIZE];
    int r = ip_parse(addresses[_i].text, &address);
    ck_assert_msg((r == 0) == (addresses[_i].shown != NULL), "%s", addresses[_i].text.data);
    if (r == 0) {
        ip_format(&address, text);
        ck_assert_str_eq(text, addresses[_i].shown);
    }
}
END_TEST

#define USUAL "127.0.0.1,::1,unix"

static const struct {
    const char *name, *list, *peer;
    bool in;
} peers[] = {
    {"an address is in a list that names it", USUAL, "127.0.0.1", true},
    {"another is not", USUAL, "127.0.0.2", false},
    {"an address of the other family", USUAL, "::1", true},
    {"a unix-domain socket", USUAL, "", true},
    {"a unix-domain socket that the list does not name", "127.0.0.1", "", false},
    {"a network's first address", "10.0.0.0/8", "10.0.0.0", true},
    {"a network's last address", "10.0.0.0/8", "10.255.255.255", true},
    {"the one before it", "10.0.0.0/8", "9.255.255.255", false},
    {"the one behind it", "10.0.0.0/8", "11.0.0.0", false},
    {"a network that ends within a byte", "172.16.0.0/12", "172.31.255.255", true},
    {"the one behind that", "172.16.0.0/12", "172.32.0.0", false},
    {"a network of one", "192.0.2.7/32", "192.0.2.7", true},
    {"not of two", "192.0.2.7/32", "192.0.2.6", false},
    {"an IPv6 network", "2001:db8::/33", "2001:db8:7fff::1", true},
    {"an address outside of it", "2001:db8::/33", "2001:db8:8000::1", false},
    {"all of IPv4", "0.0.0.0/0", "203.0.113.9", true},
    {"is not all of IPv6", "0.0.0.0/0", "2001:db8::1", false},
    {"all of IPv6 has IPv4 in it, mapped", "::/0", "203.0.113.9", true},
    {"an asterisk is all", "*", "2001:db8::1", true},
    {"with unix-domain sockets", "*", "", true},
    {"an empty list is nobody", "", "127.0.0.1", false},
    {"white space and empty items mean nothing", " , 10.0.0.1 ,\t10.0.0.2,", "10.0.0.2", true},
    {"what is no address is in no list", "0.0.0.0/0,::/0", "nonsense", false},
};

START_TEST(a_list_has_who_it_names)
{
    struct networks networks;
    char wrong[160] = "";
    ck_assert_msg(networks_parse(&networks, peers[_i].list, wrong, sizeof(wrong)) == 0, "%s", wrong);
    ck_assert_msg(networks_have_peer(&networks, peers[_i].peer) == peers[_i].in, "%s", peers[_i].name);
    networks_free(&networks);
}
END_TEST

static const struct {
    const char *address;
    bool is_private;
} privates[] = {
    {"10.0.0.0", true},     {"10.255.255.255", true},
    {"11.0.0.0", false},    {"172.15.255.255", false},
    {"172.16.0.1", true},   {"172.31.0.1", true},
    {"172.32.0.1", false},  {"192.168.7.7", true},
    {"192.169.0.1", false}, {"127.8.8.8", true},
    {"203.0.113.9", false}, {"::1", true},
    {"::2", false},         {"fc00::1", true},
    {"fdff::1", true},      {"fe00::1", false},
    {"2001:db8::1", false}, {"", true},
    {"nonsense", false},
};

START_TEST(private_addresses_are_known)
{
    ck_assert_msg(address_is_private(privates[_i].address) == privates[_i].is_private, "%s",
                  privates[_i].address);
}
END_TEST

static const struct {
    const char *list, *told;
} mistakes[] = {
    {"localhost", "has \"localhost\" in it, which is no address"},
    {"127.0.0.1,10.0.0/8", "has \"10.0.0/8\" in it, which is no address"},
    {"127.0.0.1 ::1", "has \"127.0.0.1 ::1\" in it, which is no address"},
    {"10.0.0.0/33", "has \"10.0.0.0/33\" in it, whose length is not 0 to 32"},
    {"10.0.0.0/", "has \"10.0.0.0/\" in it, whose length is not 0 to 32"},
    {"::/129", "has \"::/129\" in it, whose length is not 0 to 128"},
    {"::/-1", "has \"::/-1\" in it, whose length is not 0 to 128"},
    {"10.1.2.3/8", "has \"10.1.2.3/8\" in it, whose address has bits beyond its length"},
    {"2001:db8::1/32", "has \"2001:db8::1/32\" in it, whose address has bits beyond its length"},
    {"\x1b[31m", "has \"\\x1b[31m\" in it, which is no address"},
};

START_TEST(a_mistake_is_told_with_the_item)
{
    struct networks networks;
    char wrong[160] = "";
    ck_assert_int_eq(networks_parse(&networks, mistakes[_i].list, wrong, sizeof(wrong)), -1);
    ck_assert_msg(strncmp(wrong, mistakes[_i].told, strlen(mistakes[_i].told)) == 0, "%s", wrong);
    ck_assert_ptr_nonnull(strstr(wrong, " (addresses, ADDRESS/BITS, unix or *)"));
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, an_address_is_shown_in_one_way, addresses);
    unit_add_rows(tests, a_list_has_who_it_names, peers);
    unit_add_rows(tests, private_addresses_are_known, privates);
    unit_add_rows(tests, a_mistake_is_told_with_the_item, mistakes);
}

int main(void)
{
    return unit_run("options/networks", add);
}
