/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "geo/isp.h"

static const char *by_name(const char *name)
{
	size_t n;
	const struct geo_isp *isps = geo_isp_default(&n);
	size_t i = geo_isp_by_name(isps, n, str_from(name));

	return i == n ? "-" : isps[i].name;
}

static const char *by_asn(uint32_t asn)
{
	size_t n;
	const struct geo_isp *isps = geo_isp_default(&n);
	size_t i = geo_isp_by_asn(isps, n, asn);

	return i == n ? "-" : isps[i].name;
}

static void names_become_one(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{"China Telecom", "telecom"},
		{"china telecom fujian", "telecom"},
		{"CHINANET-GD", "telecom"},
		{"Chinanet", "telecom"},
		{"asn for Liaoning Provincial Net of CT", "telecom"},
		{"telecom", "telecom"},
		{"China Unicom Liaoning", "unicom"},
		{"CNCGROUP China169 Backbone", "unicom"},
		{"China Mobile", "mobile"},
		{"China TieTong Telecommunications Corporation", "mobile"},
		{"CERNET", "cernet"},
		{"China Education and Research Network Center", "cernet"},
		{"CSTNET", "cstnet"},
		{"Dr.Peng", "drpeng"},
		{"Alibaba Cloud", "alibaba"},
		{"Tencent Cloud", "tencent"},
		{"Huawei Cloud", "huawei"},
		{"ByteDance", "bytedance"},
		{"", "-"},
		{"Comcast Cable", "-"},
		{"Deutsche Telekom", "-"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		assert_string_equal(by_name(rows[i].in), rows[i].want);
}

static void numbers_become_one(void **state)
{
	static const struct {
		uint32_t asn;
		const char *want;
	} rows[] = {{4134, "telecom"}, {134774, "telecom"}, {4837, "unicom"}, {4808, "unicom"},
		{9808, "mobile"}, {56040, "mobile"}, {4538, "cernet"}, {37963, "alibaba"}, {0, "-"},
		{15169, "-"}, {UINT32_MAX, "-"}};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		assert_string_equal(by_asn(rows[i].asn), rows[i].want);
}

/* A number in two rows would make one of them dead. */
static void no_number_is_in_two_rows(void **state)
{
	size_t n;
	const struct geo_isp *isps = geo_isp_default(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		for (const uint32_t *a = isps[i].asns; *a; a++) {
			assert_int_equal(geo_isp_by_asn(isps, n, *a), i);
			assert_true(a[1] == 0 || a[1] > a[0]);
		}
	}
}

static void rows_without_lists(void **state)
{
	static const struct geo_isp isps[] = {{.name = "a"}, {.name = "b"}};

	(void)state;
	assert_int_equal(geo_isp_by_name(isps, 2, STR_LIT("B")), 1);
	assert_int_equal(geo_isp_by_name(isps, 2, STR_LIT("c")), 2);
	assert_int_equal(geo_isp_by_asn(isps, 2, 1), 2);
	assert_int_equal(geo_isp_by_name(NULL, 0, STR_LIT("a")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_become_one),
		cmocka_unit_test(numbers_become_one),
		cmocka_unit_test(no_number_is_in_two_rows),
		cmocka_unit_test(rows_without_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
