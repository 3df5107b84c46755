/*
 * item.h: items of the lists in the configuration, each written as it is meant.
 */
#ifndef WAYBILL_SHARED_ITEM_H
#define WAYBILL_SHARED_ITEM_H

#include "shared/flow.h"

/* `to` has room for item.len + 1 bytes, and gets a string. False: not one; what is in `to` does not count. */
typedef bool item_reader(struct span item, char *to);

item_reader item_glob;	  /* a media type, perhaps with *, without parameters */
item_reader item_origin;  /* scheme "://" host [":" port] (RFC 6454 6.2), or "*" */
item_reader item_host;	  /* host [":" port] (RFC 9110 7.2) */
item_reader item_network; /* an address, or a network such as 10.0.0.0/8 */

#endif
